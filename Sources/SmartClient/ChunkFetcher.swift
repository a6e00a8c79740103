import Base
import Digests
import HTTPClient
import HTTPTypes
import MetadataAPI
import StorageNodeAPI
import Synchronization

/// Gives the bytes of chunks, each equal to its checksum.
package protocol ChunkSource: Sendable {
    /// - Throws: ``ChunkUnavailable`` when no replica gave them.
    func fetch(_ chunk: ManifestChunk) async throws -> [UInt8]
}

/// Reads a chunk from one node, unverified.
package protocol ReplicaTransport: Sendable {
    func fetch(_ chunk: ChunkID, from replica: String) async throws -> [UInt8]
}

/// Storage nodes over HTTP.
package struct StorageNodeTransport: ReplicaTransport {
    /// How long one node has for one chunk. Long before that, another node is asked beside it.
    package static let timeout: Duration = .seconds(15)

    private let http: HTTPClient

    package init(http: HTTPClient) { self.http = http }

    package func fetch(_ chunk: ChunkID, from replica: String) async throws -> [UInt8] {
        try await StorageNodeClient(replica, http: http).fetch(chunk, timeout: Self.timeout)
    }
}

/// Fetches chunks from whichever of their nodes answers: the next node at once when one fails or gives other bytes,
/// one more beside it when one is slow. A node that failed is tried last for a while.
package final class ChunkFetcher: ChunkSource {
    /// How long a node may take before the next is asked too: well over what 2 MiB take on a slow disk and a slow
    /// network, and short enough for a hung node not to empty a player's buffer.
    package static let hedgeDelay: Duration = .seconds(1)

    private enum Event: Sendable {
        case arrived(replica: String, [UInt8])
        case failed(replica: String, any Error)
        case slow(replica: String, attempt: Int)
    }

    private let transport: any ReplicaTransport
    private let hedgeDelay: Duration
    private let clock: @Sendable () -> ContinuousClock.Instant
    private let scoreboard = Locked(NodeScoreboard())

    package init(
        transport: any ReplicaTransport, hedgeDelay: Duration = ChunkFetcher.hedgeDelay,
        clock: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        self.transport = transport
        self.hedgeDelay = hedgeDelay
        self.clock = clock
    }

    package convenience init(http: HTTPClient) { self.init(transport: StorageNodeTransport(http: http)) }

    package func fetch(_ chunk: ManifestChunk) async throws -> [UInt8] {
        let candidates = scoreboard.withLock { $0.order(chunk.replicas, now: clock()) }
        var race = ReplicaRace(candidates)
        var failures: [ChunkUnavailable.Cause] = []
        return try await withThrowingTaskGroup(of: Event.self) { group in
            defer { group.cancelAll() }
            var action: ReplicaRace.Action? = race.begin()
            while true {
                switch action {
                case .ask(let replica, let attempt): ask(replica, attempt, chunk, in: &group)
                case .giveUp: throw ChunkUnavailable(chunk: chunk.chunkId, causes: failures)
                case nil: break
                }
                guard let event = try await group.next() else { throw CancellationError() }
                switch event {
                case .arrived(let replica, let bytes):
                    scoreboard.withLock { $0.onSuccess(replica, now: clock()) }
                    return bytes
                case .failed(let replica, let error):
                    try Task.checkCancellation()
                    failures.append(ChunkUnavailable.Cause(replica: replica, error))
                    if Self.isNodeAtFault(error) { scoreboard.withLock { $0.onFailure(replica, now: clock()) } }
                    action = race.onFailure()
                case .slow(let replica, let attempt):
                    action = race.onSlow(attempt: attempt)
                    if action != nil { scoreboard.withLock { $0.onFailure(replica, now: clock()) } }
                }
            }
        }
    }

    private func ask(
        _ replica: String, _ attempt: Int, _ chunk: ManifestChunk, in group: inout ThrowingTaskGroup<Event, any Error>
    ) {
        scoreboard.withLock { $0.onStart(replica, now: clock()) }
        group.addTask {
            defer { self.scoreboard.withLock { $0.onEnd(replica, now: self.clock()) } }
            do {
                let bytes = try await self.transport.fetch(chunk.chunkId, from: replica)
                try ChunkIntegrity.check(bytes, chunk)
                return .arrived(replica: replica, bytes)
            } catch {
                return .failed(replica: replica, error)
            }
        }
        group.addTask {
            try? await Task.sleep(for: self.hedgeDelay)
            return .slow(replica: replica, attempt: attempt)
        }
    }

    // A node that answered is alive; what it lacks of one chunk says nothing of the others.
    private static func isNodeAtFault(_ error: any Error) -> Bool {
        guard let error = error as? HTTPClientError else { return false }
        switch error.code {
        case .connection, .timeout, .interrupted, .malformedResponse: return true
        case .status(let status): return status == .serviceUnavailable || status == .badGateway
        case .invalidURL, .tooLarge, .cancelled, .closed: return false
        }
    }
}

/// Whether bytes are the chunk's.
enum ChunkIntegrity {
    static func check(_ bytes: [UInt8], _ chunk: ManifestChunk) throws(Failure) {
        guard bytes.count == chunk.sizeBytes else {
            throw Failure(.corrupt, "gave \(bytes.count) bytes instead of \(chunk.sizeBytes)")
        }
        guard SHA256.digest(of: bytes) == chunk.checksum else {
            throw Failure(.corrupt, "gave bytes that do not match the chunk's checksum")
        }
    }
}

/// No node gave the bytes of a chunk.
package struct ChunkUnavailable: PresentableError {
    package struct Cause: Sendable {
        package let replica: String
        package let reason: String

        init(replica: String, _ error: any Error) {
            self.replica = replica
            reason = (error as? any PresentableError)?.message ?? "failed"
        }
    }

    package let chunk: ChunkID
    /// One for each replica, in the order they failed.
    package let causes: [Cause]

    package var category: ErrorCategory { .unavailable }

    package var message: String {
        guard !causes.isEmpty else { return "chunk \(chunk) is held by no node" }
        let reasons = causes.map { "\($0.replica): \($0.reason)" }.joined(separator: "; ")
        return "chunk \(chunk) could not be read from any of its \(causes.count) nodes (\(reasons))"
    }
}
