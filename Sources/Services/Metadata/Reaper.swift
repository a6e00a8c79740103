import Base
import Catalog
import MetadataAPI
import Synchronization

/// Takes the bytes of deleted videos, and of attempts at units that came to nothing, from the nodes, for as long as it
/// takes: what is to go stands in the catalog, so a restart goes on where it was, and a node that is down is asked again
/// until it is back.
final class Reaper: Sendable {
    /// Deletions of one node looked at in one pass.
    private static let deletionsMax = 1000
    /// Chunks between two notes of progress.
    private static let batchSize = 64
    /// Requests to one node at a time.
    private static let requestsMax = 8
    /// Sequence numbers after the last committed one that are deleted too: an upload that broke off may have stored
    /// chunks that it never committed. An uploader sends fewer than this at a time.
    private static let uncommittedMax = 16

    private struct State {
        var task: Task<Void, Never>?
        var wake: AsyncStream<Void>.Continuation?
    }

    private let catalog: any Catalog
    private let registry: NodeRegistry
    private let gateway: any AcceptorGateway
    private let interval: Duration
    private let time: any TimeSource
    private let logger = Logger("metadata-service")
    private let state = Locked(State())

    /// - Parameter interval: time between two looks at what could not be deleted before.
    init(
        catalog: any Catalog, registry: NodeRegistry, gateway: any AcceptorGateway, interval: Duration = .seconds(5),
        time: any TimeSource = SystemTime()
    ) {
        self.catalog = catalog
        self.registry = registry
        self.gateway = gateway
        self.interval = interval
        self.time = time
    }

    /// Begins; once is enough.
    func start() {
        // One wake-up waiting is as good as many.
        let (wakeUps, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        state.withLock { state in
            guard state.task == nil else { return }
            state.wake = wake
            state.task = Task { await run(wakeUps) }
        }
        wake.yield()
    }

    /// Has a look now: a video was deleted, or a node is back.
    func wake() { _ = state.withLock { $0.wake }?.yield() }

    /// Ends after the requests that are under way.
    func stop() async {
        let (task, wake) = state.withLock { ($0.task, $0.wake) }
        wake?.finish()
        task?.cancel()
        await task?.value
    }

    private func run(_ wakeUps: AsyncStream<Void>) async {
        let alarm = Task { [interval] in
            while !Task.isCancelled {
                try? await Task.sleep(for: interval)
                wake()
            }
        }
        for await _ in wakeUps {
            do {
                try await pass()
            } catch {
                logger.warning("deleted chunks could not be removed; trying again", ["error": "\(error)"])
            }
        }
        alarm.cancel()
        await alarm.value
    }

    /// One look at all that is to go: nodes beside each other, the videos of a node one after the other.
    func pass() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            // Each node by itself, so that what waits for one that is down never hides what is due at another.
            for entry in registry.view.entries where entry.status != .down {
                let due = try await catalog.deletions(of: entry.node.id, limit: Self.deletionsMax)
                let discards = try await catalog.discards(
                    on: entry.node.id, limit: Self.deletionsMax, at: time.now())
                if due.isEmpty, discards.isEmpty { continue }
                group.addTask {
                    await self.reap(due, from: entry.node.url)
                    await self.reap(discards, from: entry.node.url)
                }
            }
            try await group.waitForAll()
        }
    }

    private func reap(_ deletions: [Deletion], from url: String) async {
        for deletion in deletions where !Task.isCancelled {
            do {
                try await reap(deletion, from: url)
            } catch {
                logger.warning(
                    "a node does not delete the chunks of a deleted video; trying again later",
                    ["video_id": "\(deletion.video)", "node_id": "\(deletion.node)", "error": "\(error)"])
                return
            }
        }
    }

    /// What attempts at units that came to nothing have stored, committed or not.
    private func reap(_ discards: [Discard], from url: String) async {
        for discard in discards where !Task.isCancelled {
            do {
                let numbers = 0..<discard.sequenceEnd + Self.uncommittedMax
                let chunks = numbers.map { ChunkID(video: discard.video, stream: discard.stream, sequence: $0) }
                try await delete(chunks, from: url)
                try await catalog.finishDiscard(discard)
            } catch {
                logger.warning(
                    "a node does not delete what an attempt has left; trying again later",
                    ["video_id": "\(discard.video)", "node_id": "\(discard.node)", "error": "\(error)"])
                return
            }
        }
    }

    private func reap(_ deletion: Deletion, from url: String) async throws {
        while true {
            let chunks = try await catalog.chunks(of: deletion, limit: Self.batchSize)
            guard let last = chunks.last else { break }
            try await delete(chunks.map(\.id), from: url)
            try await catalog.advanceDeletion(deletion, to: last)
        }
        try await delete(try await uncommitted(deletion), from: url)
        try await deleteJournal(deletion, from: url)
        try await catalog.finishDeletion(deletion)
    }

    /// Old records of the video's journal, but not those that say that it is deleted.
    private func deleteJournal(_ deletion: Deletion, from url: String) async throws {
        for (stream, sequences) in try await catalog.journalRemains(of: deletion) {
            for start in stride(from: sequences.lowerBound, to: sequences.upperBound, by: Self.batchSize) {
                let batch = start..<min(start + Self.batchSize, sequences.upperBound)
                let chunks = batch.map { ChunkID(video: deletion.video, stream: stream, sequence: $0) }
                try await delete(chunks, from: url)
            }
        }
    }

    /// Chunks that may be there without the catalog knowing.
    private func uncommitted(_ deletion: Deletion) async throws -> [ChunkID] {
        var ends = try await catalog.streamEnds(of: deletion)
        for stream in [ChunkStream.source, .original, .thumbnail] where ends[stream] == nil { ends[stream] = 0 }
        return ends.flatMap { stream, end in
            (end..<end + Self.uncommittedMax).map { ChunkID(video: deletion.video, stream: stream, sequence: $0) }
        }
    }

    private func delete(_ chunks: [ChunkID], from url: String) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, chunk) in chunks.enumerated() {
                if index >= Self.requestsMax { try await group.next() }
                group.addTask { try await self.gateway.delete(chunk, at: url) }
            }
            try await group.waitForAll()
        }
    }
}
