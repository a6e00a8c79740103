import Base
import CPlatform
import Foundation
import Synchronization

/// Reads every record of a store again and again, at a set rate, and quarantines what is damaged before a client asks
/// for it. What to do is ``ScrubPlan``'s; here are the thread, the reading and the memory of it all.
package final class Scrubber: Sendable {
    package struct Options: Sendable {
        /// How fast it reads; 0: it begins no pass by itself.
        package var bytesPerSecond = 16 * ByteCount.mebibyte
        /// From the beginning of one pass to that of the next, at least.
        package var intervalSeconds: Double = 24 * 3600
        /// How long what is known may go unwritten.
        package var saveSeconds: Double = 30

        package init() {}
    }

    private struct State {
        var plan: ScrubPlan
        /// How far the pass was when this process went on with it, and when: for the rate.
        var passBegin: (bytes: Int, at: Timestamp)?
        var savedQuarantineVersion = 0
        var savedFinishedAt: Timestamp?
        var savedAt: Timestamp
        var isStarted = false
        var isStopped = false
        var totals = Totals()
    }

    /// Since the process began.
    package struct Totals: Sendable {
        package fileprivate(set) var bytes = 0
        package fileprivate(set) var damaged = 0
        package fileprivate(set) var passes = 0
    }

    /// A wait is cut short so often, to write down what a client's read has found.
    private static let lookSeconds = 2.0

    private let store: ChunkStore
    private let options: Options
    private let load: @Sendable () -> ForegroundLoad
    private let state: Locked<State>
    private let wakeUp = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)
    private let log = Logger("scrubber")

    /// Quarantines what an earlier process found damaged, and takes up its pass. ``start()`` begins the reading.
    package init(store: ChunkStore, options: Options, load: @escaping @Sendable () -> ForegroundLoad) {
        self.store = store
        self.options = options
        self.load = load
        let now = store.options.time.now()
        let memory =
            ScrubMemory.load(from: store.directory, store: store.id, store.fileSystem) ?? ScrubMemory(store: store.id)
        store.restore(memory)
        var plan = ScrubPlan(
            bytesPerSecond: options.bytesPerSecond, intervalSeconds: options.intervalSeconds,
            lastStartedAt: memory.lastStartedAt, lastFinishedAt: memory.lastFinishedAt)
        if let pass = memory.pass {
            plan.onResume(store.logExtents(), chunkCount: store.chunkCount, at: pass, now: now)
        }
        let begin = plan.pass.map { (bytes: $0.bytesDone, at: now) }
        state = Locked(
            State(plan: plan, passBegin: begin, savedFinishedAt: plan.lastFinishedAt, savedAt: now))
    }

    package func start() {
        state.withLock { $0.isStarted = true }
        let thread = Thread { [self] in
            vstack_step_back()
            run()
            save()
            ended.signal()
        }
        thread.name = "vstack-scrub"
        thread.start()
    }

    /// Begins a pass now, from the log's beginning; one under way is given up.
    /// - Parameter bytesPerSecond: this pass's rate; nil: the set one.
    /// - Throws: ``ChunkStoreError`` when no rate is set.
    package func request(bytesPerSecond: Int? = nil) throws(ChunkStoreError) {
        guard bytesPerSecond ?? options.bytesPerSecond > 0 else {
            throw ChunkStoreError(
                .conflict, "scrubbing is turned off on this node (its rate is 0): give bytes_per_sec for this pass")
        }
        state.withLock { $0.plan.onRequest(rate: bytesPerSecond) }
        wakeUp.signal()
    }

    /// Ends the thread that ``start()`` began, and writes down how far it came. Blocks for one read at most.
    package func stop() {
        let isRunning = state.withLock { state in
            defer { state.isStopped = true }
            return state.isStarted && !state.isStopped
        }
        guard isRunning else { return }
        wakeUp.signal()
        ended.wait()
    }

    /// ``stop()`` for callers that must not be blocked.
    package func stopped() async {
        await withCheckedContinuation { continuation in
            store.resumption.async { [self] in
                stop()
                continuation.resume()
            }
        }
    }

    package var totals: Totals { state.withLock { $0.totals } }

    package var progress: ScrubProgress {
        let now = store.options.time.now()
        return state.withLock { ScrubProgress($0.plan, since: $0.passBegin, now: now) }
    }

    private func run() {
        var gauge = LoadGauge()
        var reading: Reading?
        while !state.withLock({ $0.isStopped }) {
            let now = store.options.time.now()
            let isBusy = gauge.isBusy(load(), now: now)
            switch next(now, isBusy) {
            case .begin:
                begin(now)
                reading = nil
            case .read(let extent, let offset, let byteCount):
                readPiece(&reading, extent, offset, byteCount, now)
                saveIfDue(now)
            case .wait(let until):
                // The file of a superblock that is read, or gone meanwhile, is not kept open.
                if let number = reading?.superblock.number, !isNeeded(number) { reading = nil }
                saveIfDue(now)
                let seconds = min(until.map { $0.seconds(since: now) } ?? .infinity, Self.lookSeconds)
                _ = wakeUp.wait(timeout: .now() + .microseconds(Int(max(seconds, 0.0005) * 1e6)))
            }
        }
    }

    private func next(_ now: Timestamp, _ isBusy: Bool) -> ScrubPlan.Step {
        state.withLock { state in
            let wasRunning = state.plan.pass != nil
            defer { if wasRunning, state.plan.pass == nil { state.totals.passes += 1 } }
            return state.plan.next(now: now, isBusy: isBusy)
        }
    }

    private func begin(_ now: Timestamp) {
        let extents = store.logExtents()
        let chunkCount = store.chunkCount
        state.withLock { state in
            state.plan.onBegin(extents, chunkCount: chunkCount, now: now)
            state.passBegin = (0, now)
        }
    }

    private func isNeeded(_ superblock: UInt32) -> Bool {
        store.superblock(superblock) != nil
            && state.withLock { $0.plan.pass?.current?.superblock == superblock }
    }

    /// A superblock that is being read.
    private struct Reading {
        let superblock: Superblock
        let reader: LogReader
    }

    private func readPiece(
        _ reading: inout Reading?, _ extent: ScrubPlan.Extent, _ offset: Int, _ byteCount: Int, _ now: Timestamp
    ) {
        if reading?.superblock.number != extent.superblock || reading?.reader.offset != offset {
            reading = store.superblock(extent.superblock).map {
                Reading(superblock: $0, reader: LogReader($0, offset..<max(offset, extent.end)))
            }
        }
        guard let reading else { return state.withLock { $0.plan.onSkipped(extent) } }
        let findings = LogFindings(reading.reader, byteCount: byteCount)
        var outcome = ScrubPlan.Outcome()
        outcome.byteCount = min(reading.reader.offset - offset, byteCount)
        outcome.offset = reading.reader.offset
        outcome.resumeOffset = reading.reader.resumeOffset
        outcome.chunkCount = store.currentCount(of: findings.chunks, in: extent.superblock)
        outcome.damagedCount = note(findings, in: reading.superblock)
        state.withLock { state in
            state.plan.onRead(extent, outcome, startedAt: now)
            state.totals.bytes += outcome.byteCount
            state.totals.damaged += outcome.damagedCount
        }
    }

    /// Looks at what seems damaged once more, and quarantines what is.
    /// - Returns: how many records are known to be damaged since now.
    private func note(_ findings: LogFindings, in superblock: Superblock) -> Int {
        var count = 0
        for (header, id, key) in findings.damagedRecords where superblock.isStillDamaged(header.range) {
            // A chunk that was deleted or stored again may rot, and one that is known to is no news.
            let offset = header.place.offset
            guard store.quarantine(key, id, superblock: superblock.number, offset: offset) else { continue }
            count += 1
            log.error(
                "a chunk is damaged on disk and is not served any more",
                ["chunk": id?.description ?? "", "superblock": "\(superblock.number)", "offset": "\(offset)"])
        }
        for range in findings.damagedStretches where superblock.isStillDamaged(range) {
            guard store.noteLost(range, in: superblock) else { continue }
            count += 1
            log.error(
                "records of the log are damaged on disk",
                ["superblock": "\(superblock.number)", "offset": "\(range.lowerBound)", "bytes": "\(range.count)"])
        }
        return count
    }

    private func saveIfDue(_ now: Timestamp) {
        let version = store.state.withLock { $0.quarantine.version }
        let isDue = state.withLock { state in
            if version != state.savedQuarantineVersion || state.plan.lastFinishedAt != state.savedFinishedAt {
                return true
            }
            let isOld = abs(now.seconds(since: state.savedAt)) >= options.saveSeconds
            return isOld && state.plan.pass != nil
        }
        if isDue { save() }
    }

    private func save() {
        let quarantine = store.state.withLock { $0.quarantine }
        let now = store.options.time.now()
        let memory = state.withLock { state in
            state.savedQuarantineVersion = quarantine.version
            state.savedAt = now
            state.savedFinishedAt = state.plan.lastFinishedAt
            return ScrubMemory(store: store.id, plan: state.plan, quarantine: quarantine)
        }
        do {
            try memory.save(to: store.directory, store.fileSystem)
        } catch {
            // Nothing depends on it: a later process reads more than it would have to.
            log.warning("how far scrubbing is could not be written down", ["error": "\(error)"])
        }
    }
}

/// How far scrubbing is.
package struct ScrubProgress: Sendable {
    package enum State: String, Sendable {
        case off, idle, running
        /// A pass is under way and stands back for clients.
        case paused
    }

    package let state: State
    /// Of the pass under way or the latest; of the log as it was when it began.
    package let bytesDone: Int
    package let bytesTotal: Int
    package let chunksDone: Int
    package let chunksTotal: Int
    /// Records that this pass found damaged.
    package let damagedFound: Int
    package let startedAt: Timestamp?
    package let lastFinishedAt: Timestamp?
    /// When the next pass begins by itself.
    package let nextAt: Timestamp?
    /// The most it reads in a second, and what it has read in one since the pass began.
    package let bytesPerSecondMax: Int
    package let bytesPerSecond: Double

    init(_ plan: ScrubPlan, since begin: (bytes: Int, at: Timestamp)?, now: Timestamp) {
        state = Self.state(plan, now)
        let pass = plan.pass ?? plan.lastPass
        bytesDone = pass?.bytesDone ?? 0
        bytesTotal = pass?.bytesTotal ?? 0
        chunksDone = pass?.chunksDone ?? 0
        chunksTotal = pass?.chunksTotal ?? 0
        damagedFound = pass?.damagedCount ?? 0
        startedAt = pass?.startedAt
        lastFinishedAt = plan.lastFinishedAt
        nextAt = plan.nextAt.map { max($0, now) }
        bytesPerSecondMax = plan.rate
        if let pass = plan.pass, let begin, now > begin.at {
            bytesPerSecond = Double(pass.bytesDone - begin.bytes) / now.seconds(since: begin.at)
        } else {
            bytesPerSecond = 0
        }
    }

    private static func state(_ plan: ScrubPlan, _ now: Timestamp) -> State {
        guard plan.pass == nil else { return plan.isStandingBack ? .paused : .running }
        // One that is due has begun, for whoever asks.
        return plan.nextAt.map { $0 <= now ? .running : .idle } ?? .off
    }
}
