import Base

/// The transcoding of one video: what its units have in common.
///
/// How it goes is derived from its units (``JobReport``); nothing here says so.
package struct Job: Hashable, Sendable {
    package let video: VideoID
    package let createdAt: Timestamp
    /// Somebody wants nothing more to be done for now.
    package var isStopped: Bool
    /// When the first unit was given to a follower.
    package var startedAt: Timestamp?
    /// When the last unit was done, or had failed; nil while one is open.
    package var finishedAt: Timestamp?
    /// Seconds of the video that were encoded, and what that took: what a straggler is measured by.
    package var encodedSec: Double
    package var encodingSec: Double

    package init(
        video: VideoID, createdAt: Timestamp, isStopped: Bool = false, startedAt: Timestamp? = nil,
        finishedAt: Timestamp? = nil, encodedSec: Double = 0, encodingSec: Double = 0
    ) {
        self.video = video
        self.createdAt = createdAt
        self.isStopped = isStopped
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.encodedSec = encodedSec
        self.encodingSec = encodingSec
    }

    /// How long a unit of this length should take; nil before the first is done.
    func expectedSec(of task: UnitTask) -> Double? {
        encodedSec > 0 ? encodingSec / encodedSec * task.durationSec : nil
    }
}

/// What the queue goes by.
package struct JobPolicy: Sendable {
    /// How long a lease lives without being renewed. Followers renew it three times as often.
    package var leaseSec: Double
    /// Attempts that may fail before the unit does.
    package var attemptsMax: Int
    /// How long a follower that failed a unit does not get it again.
    package var avoidanceSec: Double
    /// Attempts at the same unit at the same time.
    package var leasesPerUnitMax = 2
    /// A lease younger than this is no straggler.
    package var stragglerSecMin: Double
    /// How much longer than expected a unit must take before an idle follower tries it too.
    package var stragglerFactor = 2.0
    /// Of waiting units, and of stragglers, that are looked at when a follower asks.
    package var candidatesMax = 64

    package init(leaseSec: Double = 30, attemptsMax: Int = 3, avoidanceSec: Double = 10, stragglerSecMin: Double = 30) {
        self.leaseSec = leaseSec
        self.attemptsMax = attemptsMax
        self.avoidanceSec = avoidanceSec
        self.stragglerSecMin = stragglerSecMin
    }
}
