import Base

/// Decides what the scrubber reads next, when it rests and when it stands back for others. No I/O, no clock.
///
/// Invariants:
/// - A pass goes once, in order, through the log as it was when the pass began. What is written meanwhile is the next
///   pass's.
/// - Reads are so far apart that no second has more bytes than the rate allows.
/// - While others are busy a read happens once a second all the same, so that a node that is never idle is scrubbed too.
struct ScrubPlan {
    /// A superblock, and how far its log goes.
    struct Extent: Equatable {
        let superblock: UInt32
        let end: Int
    }

    enum Step: Equatable {
        /// The log is to be surveyed: ``onBegin(_:chunkCount:now:)``.
        case begin
        /// A piece is to be read: ``onRead(_:_:startedAt:)``, or ``onSkipped(_:)`` when the superblock is gone.
        case read(Extent, from: Int, byteCount: Int)
        /// Nothing to do before then; nil: before somebody asks for a pass.
        case wait(until: Timestamp?)
    }

    /// What a piece of the log turned out to be.
    struct Outcome {
        var byteCount = 0
        /// Where to read on, and where a scrubber of a later process would.
        var offset = 0
        var resumeOffset = 0
        /// Chunks that count.
        var chunkCount = 0
        var damagedCount = 0
    }

    /// Where a pass stands.
    struct Pass: Equatable {
        let extents: [Extent]
        let startedAt: Timestamp
        let chunksTotal: Int
        fileprivate(set) var index = 0
        fileprivate(set) var offset = SuperblockHeader.recordsOffset
        fileprivate(set) var resumeOffset = SuperblockHeader.recordsOffset
        fileprivate(set) var chunksDone = 0
        fileprivate(set) var damagedCount = 0
        fileprivate(set) var bytesDoneBefore = 0
        /// The next read comes no sooner.
        fileprivate var notBefore: Timestamp
        fileprivate var lastReadAt: Timestamp

        var current: Extent? { index < extents.count ? extents[index] : nil }
        var bytesTotal: Int { extents.reduce(0) { $0 + $1.end } }
        var bytesDone: Int { bytesDoneBefore + (current == nil ? 0 : offset) }
    }

    /// `resting` can become `running` (it is time, or somebody asks); `running` can become `resting` (at the end) and
    /// `running` from the beginning (somebody asks).
    private enum State {
        case resting(until: Timestamp?)
        case running(Pass)
    }

    /// How long others may hold a pass up at a time.
    private static let standBackSeconds = 1.0
    /// How soon to look again whether they are still busy.
    private static let lookAgainSeconds = 0.1
    /// A wait that is so much longer than it should be comes from a clock that was set back.
    private static let pauseSecondsMax = 60.0

    private let bytesPerSecond: Int
    private let intervalSeconds: Double
    private var state: State
    /// Of the pass under way or the next one, in place of the set rate.
    private var requestedRate: Int?
    private(set) var isStandingBack = false
    /// The latest that came to its end in this process.
    private(set) var lastPass: Pass?
    private(set) var lastStartedAt: Timestamp?
    private(set) var lastFinishedAt: Timestamp?

    /// - Parameters:
    ///   - bytesPerSecond: 0: no pass begins by itself.
    ///   - intervalSeconds: from the beginning of one pass to that of the next, at least.
    init(bytesPerSecond: Int, intervalSeconds: Double, lastStartedAt: Timestamp?, lastFinishedAt: Timestamp?) {
        self.bytesPerSecond = bytesPerSecond
        self.intervalSeconds = intervalSeconds
        self.lastStartedAt = lastStartedAt
        self.lastFinishedAt = lastFinishedAt
        state = .resting(until: nil)
        state = .resting(until: nextStart)
    }

    /// How fast the pass under way, or the next one, goes.
    var rate: Int { requestedRate ?? bytesPerSecond }

    var pass: Pass? { if case .running(let pass) = state { pass } else { nil } }

    /// When the next pass begins by itself; nil when none does, or one is under way.
    var nextAt: Timestamp? { if case .resting(let until) = state { until } else { nil } }

    private var nextStart: Timestamp? {
        guard bytesPerSecond > 0 else { return nil }
        return lastStartedAt.map { $0.adding(seconds: intervalSeconds) } ?? Timestamp(nanoseconds: 0)
    }

    mutating func next(now: Timestamp, isBusy: Bool) -> Step {
        switch state {
        case .resting(let until):
            guard let until, now < until else { return until == nil ? .wait(until: nil) : .begin }
            let latest = now.adding(seconds: intervalSeconds)
            return .wait(until: min(until, latest))
        case .running(let pass): return next(pass, now, isBusy)
        }
    }

    private mutating func next(_ pass: Pass, _ now: Timestamp, _ isBusy: Bool) -> Step {
        guard let extent = pass.current else {
            finish(pass, now)
            return next(now: now, isBusy: isBusy)
        }
        let secondsMax = Self.pauseSecondsMax + Double(pieceBytes) / Double(max(rate, 1))
        let clockWasSetBack = pass.notBefore.seconds(since: now) > secondsMax
        let waited = now.seconds(since: pass.lastReadAt)
        isStandingBack = isBusy && (0..<Self.standBackSeconds).contains(waited)
        guard !isStandingBack else { return .wait(until: now.adding(seconds: Self.lookAgainSeconds)) }
        guard now >= pass.notBefore || clockWasSetBack else { return .wait(until: pass.notBefore) }
        return .read(extent, from: pass.offset, byteCount: pieceBytes)
    }

    /// What a second may have, within what one read may be.
    private var pieceBytes: Int { min(max(rate, diskReaderAlignment), LogReader.pieceBytes) }

    private mutating func finish(_ pass: Pass, _ now: Timestamp) {
        lastFinishedAt = now
        requestedRate = nil
        isStandingBack = false
        lastPass = pass
        state = .resting(until: nextStart)
    }

    /// Somebody wants a pass now, from the log's beginning.
    mutating func onRequest(rate: Int?) {
        requestedRate = rate
        state = .resting(until: Timestamp(nanoseconds: 0))
    }

    /// - Parameter extents: in the order in which they are to be read.
    mutating func onBegin(_ extents: [Extent], chunkCount: Int, now: Timestamp) {
        lastStartedAt = now
        state = .running(
            Pass(extents: extents, startedAt: now, chunksTotal: chunkCount, notBefore: now, lastReadAt: now))
    }

    /// Goes on with a pass of an earlier process; `extents` is the log as it is now.
    mutating func onResume(_ extents: [Extent], chunkCount: Int, at place: ScrubMemory.Pass, now: Timestamp) {
        guard bytesPerSecond > 0 else { return }
        var pass = Pass(
            extents: extents, startedAt: place.startedAt, chunksTotal: chunkCount, notBefore: now, lastReadAt: now)
        pass.index = extents.firstIndex { $0.superblock >= place.superblock } ?? extents.count
        pass.bytesDoneBefore = extents[..<pass.index].reduce(0) { $0 + $1.end }
        if let current = pass.current, current.superblock == place.superblock, current.end >= place.offset {
            (pass.offset, pass.resumeOffset) = (place.offset, place.offset)
        }
        (pass.chunksDone, pass.damagedCount) = (place.chunksDone, place.damagedCount)
        lastStartedAt = place.startedAt
        state = .running(pass)
    }

    mutating func onRead(_ extent: Extent, _ outcome: Outcome, startedAt: Timestamp) {
        // Somebody may have asked for a new pass meanwhile.
        guard case .running(var pass) = state, pass.current == extent else { return }
        pass.offset = outcome.offset
        pass.resumeOffset = outcome.resumeOffset
        pass.chunksDone += outcome.chunkCount
        pass.damagedCount += outcome.damagedCount
        pass.lastReadAt = startedAt
        pass.notBefore = startedAt.adding(seconds: Double(outcome.byteCount) / Double(max(rate, 1)))
        if pass.offset >= extent.end { pass.moveOn() }
        state = .running(pass)
    }

    /// The superblock is not there any more.
    mutating func onSkipped(_ extent: Extent) {
        guard case .running(var pass) = state, pass.current == extent else { return }
        pass.moveOn()
        state = .running(pass)
    }
}

extension ScrubPlan.Pass {
    fileprivate mutating func moveOn() {
        bytesDoneBefore += extents[index].end
        index += 1
        offset = SuperblockHeader.recordsOffset
        resumeOffset = offset
    }
}

/// What a node's clients make it do, counted from its start.
package struct ForegroundLoad: Equatable, Sendable {
    package let requests: Int
    package let bytes: Int

    package init(requests: Int, bytes: Int) {
        self.requests = requests
        self.bytes = bytes
    }
}

/// Tells from what was done since the last look whether clients need the disk now.
struct LoadGauge {
    /// Below both of these a client does not notice the scrubber.
    static let requestsPerSecondMax = 100.0
    static let bytesPerSecondMax = Double(16 * ByteCount.mebibyte)
    private static let windowSeconds = 0.1

    private var last: (load: ForegroundLoad, at: Timestamp)?
    private var isBusy = false

    mutating func isBusy(_ load: ForegroundLoad, now: Timestamp) -> Bool {
        guard let (earlier, at) = last else {
            last = (load, now)
            return false
        }
        let seconds = now.seconds(since: at)
        guard seconds < 0 || seconds >= Self.windowSeconds else { return isBusy }
        last = (load, now)
        isBusy =
            seconds > 0
            && (Double(load.requests - earlier.requests) / seconds > Self.requestsPerSecondMax
                || Double(load.bytes - earlier.bytes) / seconds > Self.bytesPerSecondMax)
        return isBusy
    }
}
