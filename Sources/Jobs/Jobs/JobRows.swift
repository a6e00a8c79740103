import Base

/// Where jobs and units are kept: a few rows at a time, inside one transaction that the caller opens and ends. What is
/// saved is what is read next; when an error is thrown, nothing of it has happened.
package protocol JobRows {
    associatedtype Failure: Error

    mutating func job(of video: VideoID) throws(Failure) -> Job?
    mutating func save(_ job: Job) throws(Failure)

    mutating func unit(_ id: UnitID) throws(Failure) -> QueuedUnit?
    /// In order of number.
    mutating func units(of video: VideoID) throws(Failure) -> [QueuedUnit]
    mutating func save(_ unit: QueuedUnit) throws(Failure)

    /// Open units without a lease, of jobs that are not stopped, in order of priority and then as they were entered.
    mutating func waitingUnits(limit: Int) throws(Failure) -> [QueuedUnit]
    /// Units with exactly one lease, of jobs that are not stopped; the oldest leases first.
    mutating func singlyLeasedUnits(limit: Int) throws(Failure) -> [QueuedUnit]
    /// Units with a lease that was last renewed at `past` or earlier, or later than `now`.
    mutating func staleUnits(past: Timestamp, now: Timestamp) throws(Failure) -> [QueuedUnit]
    mutating func units(leasedTo follower: FollowerID) throws(Failure) -> [QueuedUnit]

    /// Notes that nothing of the attempt is ever needed: what it has stored can go.
    mutating func discard(_ token: FencingToken, of unit: QueuedUnit) throws(Failure)
}
