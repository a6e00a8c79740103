import Base
import Catalog
import MetadataAPI
import Synchronization

/// Sees to it that the storage nodes know what the catalog knows of each video, so that it can be rebuilt from them.
///
/// What is due stands in the catalog, in the transaction of the change itself: a crash loses nothing of it. Whoever
/// changes a video waits a moment for a majority to have it (``settle(_:)``), and no longer, so that a group that is
/// away does not hold up titles and deletions; what is left is written as soon as it can be.
///
/// Invariant: at most one write of a video's journal is under way in this process.
final class JournalKeeper: Sendable {
    struct Pace: Sendable {
        /// How long a change waits for the nodes before it is acknowledged without them.
        var patience = Duration.seconds(2)
        /// Between two looks at what could not be written before; it doubles while nothing can.
        var retry = Duration.seconds(2)
        var retryMax = Duration.seconds(60)
        /// After which counters are written.
        var counters = Duration.seconds(30)
        /// Between two attempts to give members what they lack.
        var healing = Duration.seconds(30)
        /// What a member gets to take a record once a majority has it.
        var straggler = Duration.milliseconds(500)
        /// What everything that is due gets at the end.
        var farewell = Duration.seconds(3)
    }

    /// Videos looked at together, and written at once.
    private static let pageSize = 256
    private static let writesAtOnce = 16

    private struct Line {
        var waiting: [AsyncStream<Bool>.Continuation] = []
        var task: Task<Void, Never>?
    }

    private struct State {
        var lines: [VideoID: Line] = [:]
        var task: Task<Void, Never>?
        var wake: AsyncStream<Void>.Continuation?
        var isNodeBack = false
        var isStopped = false
    }

    private let catalog: any Catalog
    private let registry: NodeRegistry
    private let writer: JournalWriter
    private let pace: Pace
    private let written: Counter
    private let failed: Counter
    private let logger = Logger("metadata-service")
    private let state = Locked(State())

    init(catalog: any Catalog, registry: NodeRegistry, writer: JournalWriter, metrics: Metrics, pace: Pace) {
        self.catalog = catalog
        self.registry = registry
        self.writer = writer
        self.pace = pace
        let name = "vstack_metadata_journal_writes_total"
        let help = "Times that a video's journal was written to its nodes, by outcome."
        written = metrics.counter(name, help, labels: #"outcome="written""#)
        failed = metrics.counter(name, help, labels: #"outcome="failed""#)
    }

    /// Begins; once is enough.
    func start() {
        // One wake-up waiting is as good as many.
        let (wakeUps, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        state.withLock { state in
            guard state.task == nil, !state.isStopped else { return }
            state.wake = wake
            state.task = Task { await run(wakeUps) }
        }
        wake.yield()
    }

    /// A node is back: what could not be written may be written now.
    func wake() {
        let wake = state.withLock { state in
            state.isNodeBack = true
            return state.wake
        }
        wake?.yield()
    }

    /// Writes the video's last change without waiting for it.
    func submit(_ id: VideoID) { _ = enqueue(id) }

    /// Returns when the nodes have the video's last change, or after a while without.
    func settle(_ id: VideoID) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { _ = await self.write(id) }
            group.addTask { [pace] in try? await Task.sleep(for: pace.patience) }
            await group.next()
            group.cancelAll()
        }
    }

    /// Writes everything that is due, for a while, and then ends.
    func stop() async {
        let task = state.withLock { state in
            state.wake?.finish()
            return state.task
        }
        task?.cancel()
        await task?.value
        await withTaskGroup(of: Void.self) { group in
            group.addTask { _ = await self.pass(.counters) }
            group.addTask { [pace] in try? await Task.sleep(for: pace.farewell) }
            await group.next()
            group.cancelAll()
        }
        let lines = state.withLock { state in
            state.isStopped = true
            return state.lines.values.compactMap(\.task)
        }
        for line in lines {
            line.cancel()
            await line.value
        }
    }

    /// One look at everything that is due with at least that urgency.
    /// - Returns: how many videos' journals could not be written.
    @discardableResult
    func pass(_ urgency: JournalUrgency) async -> Int {
        await writeAll { [catalog] in try await catalog.journalDue(urgency, after: $0, limit: Self.pageSize) }
    }

    /// Gives members that are there what they lack.
    func heal() async {
        for entry in registry.view.entries where entry.status != .down && !Task.isCancelled {
            let node = entry.node.id
            await writeAll { [catalog] in try await catalog.journalLagging(on: node, after: $0, limit: Self.pageSize) }
        }
    }

    private func run(_ wakeUps: AsyncStream<Void>) async {
        let alarm = Task { [pace] in
            while !Task.isCancelled {
                try? await Task.sleep(for: min(pace.retry, pace.counters, pace.healing))
                _ = state.withLock { $0.wake }?.yield()
            }
        }
        var schedule = JournalSchedule(pace: pace, now: .now)
        for await _ in wakeUps {
            if state.withLock({ state in
                defer { state.isNodeBack = false }
                return state.isNodeBack
            }) {
                schedule.onNodeBack(now: .now)
            }
            await perform(schedule.due(now: .now), &schedule)
        }
        alarm.cancel()
        await alarm.value
    }

    private func perform(_ due: JournalSchedule.Due, _ schedule: inout JournalSchedule) async {
        if let urgency = due.urgency {
            let failures = await pass(urgency)
            if failures > 0, !Task.isCancelled {
                logger.warning(
                    "journals of videos could not be written to their nodes; trying again later",
                    ["videos": "\(failures)"])
            }
            schedule.onPass(urgency, failures: failures, now: .now)
        }
        if due.isHealing {
            await heal()
            schedule.onHealed(now: .now)
        }
    }

    @discardableResult
    private func writeAll(_ page: @Sendable (Int64) async throws -> [JournalDue]) async -> Int {
        var (position, failures) = (Int64(0), 0)
        do {
            while !Task.isCancelled {
                let due = try await page(position)
                guard let last = due.last else { break }
                position = last.position
                failures += await write(due.map(\.video))
            }
        } catch {
            logger.warning("the catalog does not say what is due in its journal", ["error": "\(error)"])
            failures += 1
        }
        return failures
    }

    private func write(_ videos: [VideoID]) async -> Int {
        await withTaskGroup(of: Bool.self) { group in
            var failures = 0
            for (index, id) in videos.enumerated() {
                if index >= Self.writesAtOnce, await group.next() == false { failures += 1 }
                group.addTask { await self.write(id) }
            }
            return await group.reduce(failures) { $0 + ($1 ? 0 : 1) }
        }
    }
}

// One write of a video after the other.
extension JournalKeeper {
    /// - Returns: whether a write that began after this call succeeded.
    private func write(_ id: VideoID) async -> Bool {
        var outcome = enqueue(id).makeAsyncIterator()
        return await outcome.next() ?? false
    }

    private func enqueue(_ id: VideoID) -> AsyncStream<Bool> {
        let (outcome, waiter) = AsyncStream.makeStream(of: Bool.self, bufferingPolicy: .bufferingNewest(1))
        state.withLock { state in
            guard !state.isStopped else { return waiter.finish() }
            state.lines[id, default: Line()].waiting.append(waiter)
            if state.lines[id]?.task == nil { state.lines[id]?.task = Task { await self.work(id) } }
        }
        return outcome
    }

    private func work(_ id: VideoID) async {
        while let waiters = take(id) {
            let isWritten = await attempt(id)
            for waiter in waiters {
                waiter.yield(isWritten)
                waiter.finish()
            }
        }
    }

    /// Those who wait for the next write; nil when there is nobody, and the line is closed.
    private func take(_ id: VideoID) -> [AsyncStream<Bool>.Continuation]? {
        state.withLock { state in
            guard let waiting = state.lines[id]?.waiting, !waiting.isEmpty else {
                state.lines[id] = nil
                return nil
            }
            state.lines[id]?.waiting = []
            return waiting
        }
    }

    private func attempt(_ id: VideoID) async -> Bool {
        do {
            try await writer.write(id)
            written.add()
            return true
        } catch {
            failed.add()
            logger.debug(
                "the journal of a video could not be written to its nodes; trying again later",
                ["video_id": "\(id)", "error": "\(error)"])
            return false
        }
    }
}
