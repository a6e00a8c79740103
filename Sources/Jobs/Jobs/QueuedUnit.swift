import Base

/// Which unit of which video. Numbers of a video's units are never used twice.
package struct UnitID: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let video: VideoID
    package let number: Int

    package init(video: VideoID, number: Int) {
        self.video = video
        self.number = number
    }

    package var description: String { "\(video)/\(number)" }

    package static func < (a: UnitID, b: UnitID) -> Bool {
        (a.video.description, a.number) < (b.video.description, b.number)
    }
}

/// What is to be done: a run of the source's segments, as these renditions. Fixed when the unit is entered.
package struct UnitTask: Hashable, Sendable {
    package enum Kind: String, Sendable, Codable {
        case video, audio
    }

    package let kind: Kind
    /// Its place on the video's timeline among the units of its renditions, from 0.
    package let part: Int
    /// Of the source rendition, what has to be read: a little more than what is to be shown.
    package let segments: Range<Int>
    package let startSec: Double
    package let endSec: Double
    /// Whether it goes on to the end, wherever that turns out to be.
    package let isLast: Bool
    package let rungs: [RungLabel]

    package init(
        kind: Kind, part: Int, segments: Range<Int>, startSec: Double, endSec: Double, isLast: Bool, rungs: [RungLabel]
    ) {
        self.kind = kind
        self.part = part
        self.segments = segments
        self.startSec = startSec
        self.endSec = endSec
        self.isLast = isLast
        self.rungs = rungs
    }

    package var durationSec: Double { endSec - startSec }

    /// Where an attempt keeps the bytes of a rendition: a stream of its own, so that attempts never meet.
    package func stream(of rung: RungLabel, _ token: FencingToken) -> ChunkStream? {
        let digits = String(part)
        let number = String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        return ChunkStream("\(rung).\(number).\(token.text)")
    }
}

/// The right of one follower to a unit, for as long as it is renewed.
package struct Lease: Hashable, Sendable {
    package let token: FencingToken
    package let follower: FollowerID
    package let grantedAt: Timestamp
    /// When the follower was last heard of.
    package var renewedAt: Timestamp
    package var progress: UnitProgress

    package init(
        token: FencingToken, follower: FollowerID, grantedAt: Timestamp, renewedAt: Timestamp,
        progress: UnitProgress = UnitProgress()
    ) {
        self.token = token
        self.follower = follower
        self.grantedAt = grantedAt
        self.renewedAt = renewedAt
        self.progress = progress
    }
}

/// How far a follower is, as it says.
package struct UnitProgress: Hashable, Sendable, Codable {
    /// 0 to 1.
    package var fraction: Double
    package var frame: Int
    package var framesPerSecond: Double
    /// Seconds of the video in a second of work.
    package var speed: Double
    package var etaSec: Double?

    package init(
        fraction: Double = 0, frame: Int = 0, framesPerSecond: Double = 0, speed: Double = 0, etaSec: Double? = nil
    ) {
        self.fraction = fraction
        self.frame = frame
        self.framesPerSecond = framesPerSecond
        self.speed = speed
        self.etaSec = etaSec
    }
}

/// A follower that should not get the unit again before `until`, so that another one has the first chance.
package struct Avoidance: Hashable, Sendable, Codable {
    package let follower: FollowerID
    package let until: Timestamp

    package init(follower: FollowerID, until: Timestamp) {
        self.follower = follower
        self.until = until
    }
}

/// A unit of work and who is at it.
///
/// Invariants:
/// - Tokens only grow: `lastToken` is that of the newest lease there ever was.
/// - A unit that is `done` or `failed` has no lease; one that is `open` and has none is waiting, and anybody may have it.
/// - `done` is final, and names the one attempt whose result counts.
package struct QueuedUnit: Hashable, Sendable {
    package enum State: Hashable, Sendable {
        /// Waiting, or under way where there is a lease. Can become `done` or `failed`.
        case open
        /// Final.
        case done(FencingToken)
        /// Too many attempts have failed. Can become `open` when somebody resumes the job.
        case failed
    }

    package let id: UnitID
    package let task: UnitTask
    /// Lower ones first.
    package let priority: Int
    package var state: State
    /// Those that failed since the job was entered or resumed.
    package var attempts: Int
    package var lastToken: FencingToken
    package var leases: [Lease]
    package var avoided: [Avoidance]
    /// Why the last attempt that failed did.
    package var lastError: String?

    package init(
        id: UnitID, task: UnitTask, priority: Int, state: State = .open, attempts: Int = 0,
        lastToken: FencingToken = .none, leases: [Lease] = [], avoided: [Avoidance] = [], lastError: String? = nil
    ) {
        self.id = id
        self.task = task
        self.priority = priority
        self.state = state
        self.attempts = attempts
        self.lastToken = lastToken
        self.leases = leases
        self.avoided = avoided
        self.lastError = lastError
    }

    package var isWaiting: Bool { state == .open && leases.isEmpty }
    package var isRunning: Bool { !leases.isEmpty }

    package func lease(_ token: FencingToken) -> Lease? { leases.first { $0.token == token } }
}
