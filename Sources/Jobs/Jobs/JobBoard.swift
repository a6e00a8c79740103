import Base

/// The queue of work units: who gets which, whose result counts, and what becomes of those who are not heard of.
///
/// Pure: it decides over the rows it is given, so that the catalog runs it inside a transaction and a simulation over an
/// array. A board is made for one call, or for as long as nobody else changes the rows.
///
/// Invariants:
/// 1. Of each unit at most one result is ever accepted.
/// 2. Accepted is only the result of a lease that is live at that moment: neither expired, ended nor revoked.
/// 3. Every lease of a unit has a token of its own, higher than all before.
/// 4. A unit has at most ``JobPolicy/leasesPerUnitMax`` leases, each of another follower.
/// 5. Every unit is done, failed, leased until a known moment, or to be had by whoever asks: none is ever stuck.
package struct JobBoard<Rows: JobRows> {
    package private(set) var rows: Rows
    private let policy: JobPolicy

    package init(_ rows: Rows, _ policy: JobPolicy) {
        self.rows = rows
        self.policy = policy
    }

    /// A follower asks for work.
    /// - Parameter holding: what it is at. Whatever else it was given it knows nothing of: it was restarted, or the
    ///   answer was lost.
    /// - Returns: nil when there is nothing for it now.
    package mutating func onPull(
        by follower: FollowerID, holding: [UnitID: FencingToken], now: Timestamp
    ) throws(Rows.Failure) -> UnitGrant? {
        try onSweep(now: now)
        for var unit in try rows.units(leasedTo: follower) {
            for lease in unit.leases where lease.follower == follower && holding[unit.id] != lease.token {
                try end(unit.fail(lease.token, "\(follower) began anew without it", now: now, policy), of: unit)
            }
            try rows.save(unit)
            try noteEnd(of: unit, now: now)
        }
        guard var unit = try choose(for: follower, now: now) else { return nil }
        let lease = unit.grant(to: follower, now: now)
        try rows.save(unit)
        if var job = try rows.job(of: unit.id.video), job.startedAt == nil {
            job.startedAt = now
            try rows.save(job)
        }
        return UnitGrant(unit: unit, token: lease.token)
    }

    /// A follower says that it is still at it.
    package mutating func onHeartbeat(
        _ id: UnitID, _ token: FencingToken, _ progress: UnitProgress?, now: Timestamp
    ) throws(Rows.Failure) -> LeaseVerdict {
        guard var unit = try current(id, now: now) else { return .fenced("there is no such unit any more") }
        guard unit.lease(token) != nil else { return .fenced(try reason(unit)) }
        unit.renew(token, progress, now: now)
        try rows.save(unit)
        return .held
    }

    /// A follower has done a unit.
    /// - Parameter objection: what the caller knows against the result; nil when it knows nothing.
    package mutating func onResult(
        _ id: UnitID, _ token: FencingToken, _ result: UnitResult, objection: String? = nil, now: Timestamp
    ) throws(Rows.Failure) -> ResultVerdict {
        guard var unit = try current(id, now: now) else { return .fenced("there is no such unit any more") }
        if unit.state == .done(token) { return .repeated }
        guard let lease = unit.lease(token) else { return .fenced(try reason(unit)) }
        if let defect = result.defect(as: unit.task) ?? objection {
            try refuse(&unit, token, defect, now: now)
            return .refused(defect)
        }
        let losers = unit.accept(token)
        try rows.save(unit)
        try end(losers, of: unit)
        if unit.task.kind == .video, var job = try rows.job(of: id.video) {
            job.encodedSec += unit.task.durationSec
            job.encodingSec += max(0, now.seconds(since: lease.grantedAt))
            try rows.save(job)
        }
        try noteEnd(of: unit, now: now)
        return .accepted(unit)
    }

    /// A follower could not do a unit, or gives it back.
    /// - Parameter isReleased: it is nobody's fault, as when the follower ends; the attempt does not count.
    package mutating func onFailure(
        _ id: UnitID, _ token: FencingToken, _ reason: String, isReleased: Bool, now: Timestamp
    ) throws(Rows.Failure) -> LeaseVerdict {
        guard var unit = try current(id, now: now) else { return .fenced("there is no such unit any more") }
        guard unit.lease(token) != nil else { return .fenced(try self.reason(unit)) }
        if isReleased {
            let ended = unit.release(token)
            try rows.save(unit)
            try end(ended, of: unit)
        } else {
            try refuse(&unit, token, reason, now: now)
        }
        return .held
    }

    /// Ends every lease that nobody has renewed.
    package mutating func onSweep(now: Timestamp) throws(Rows.Failure) {
        for var unit in try rows.staleUnits(past: now.adding(seconds: -policy.leaseSec), now: now) {
            try expire(&unit, now: now)
        }
    }

    /// - Returns: false when there is no such job.
    package mutating func onStop(_ video: VideoID, now: Timestamp) throws(Rows.Failure) -> Bool {
        guard var job = try rows.job(of: video) else { return false }
        job.isStopped = true
        try rows.save(job)
        for var unit in try rows.units(of: video) where unit.isRunning {
            let ended = unit.revokeAll()
            try rows.save(unit)
            try end(ended, of: unit)
        }
        return true
    }

    /// Goes on with a job that was stopped, and tries once more what has failed.
    /// - Returns: whether there was anything to go on with; nil when there is no such job.
    package mutating func onResume(_ video: VideoID, now: Timestamp) throws(Rows.Failure) -> Bool? {
        guard var job = try rows.job(of: video) else { return nil }
        var isResumed = false
        for var unit in try rows.units(of: video) {
            if unit.state == .failed {
                unit.reopen()
                try rows.save(unit)
                isResumed = true
            } else if unit.isWaiting, job.isStopped {
                isResumed = true
            }
        }
        job.isStopped = false
        if isResumed { job.finishedAt = nil }
        try rows.save(job)
        return isResumed
    }
}

// What the calls have in common.
extension JobBoard {
    /// The unit as it is now, after what has expired.
    private mutating func current(_ id: UnitID, now: Timestamp) throws(Rows.Failure) -> QueuedUnit? {
        guard var unit = try rows.unit(id) else { return nil }
        if unit.isRunning { try expire(&unit, now: now) }
        return unit
    }

    private mutating func expire(_ unit: inout QueuedUnit, now: Timestamp) throws(Rows.Failure) {
        let before = unit
        let ended = unit.expire(now: now, policy)
        guard unit != before else { return }
        try rows.save(unit)
        try end(ended, of: unit)
        try noteEnd(of: unit, now: now)
    }

    private mutating func refuse(
        _ unit: inout QueuedUnit, _ token: FencingToken, _ reason: String, now: Timestamp
    ) throws(Rows.Failure) {
        let ended = unit.fail(token, reason, now: now, policy)
        try rows.save(unit)
        try end(ended, of: unit)
        try noteEnd(of: unit, now: now)
    }

    private mutating func end(_ leases: [Lease], of unit: QueuedUnit) throws(Rows.Failure) {
        for lease in leases { try rows.discard(lease.token, of: unit) }
    }

    /// The job is finished with its last unit.
    private mutating func noteEnd(of unit: QueuedUnit, now: Timestamp) throws(Rows.Failure) {
        guard unit.state != .open, var job = try rows.job(of: unit.id.video), job.finishedAt == nil,
            try rows.units(of: unit.id.video).allSatisfy({ $0.state != .open })
        else { return }
        job.finishedAt = now
        try rows.save(job)
    }

    private mutating func reason(_ unit: QueuedUnit) throws(Rows.Failure) -> String {
        switch unit.state {
        case .done: return "another attempt was accepted"
        case .failed: return unit.lastError ?? "the unit was given up"
        case .open:
            if try rows.job(of: unit.id.video)?.isStopped == true { return "the job was stopped" }
            return unit.lastError ?? "the lease has ended"
        }
    }

    /// What waits, the most urgent first; else a unit that takes much longer than it should, so that the first of the
    /// two to end it counts.
    private mutating func choose(for follower: FollowerID, now: Timestamp) throws(Rows.Failure) -> QueuedUnit? {
        let waiting = try rows.waitingUnits(limit: policy.candidatesMax)
        if let unit = waiting.first(where: { !$0.isAvoided(by: follower, now: now, policy) }) { return unit }
        for unit in try rows.singlyLeasedUnits(limit: policy.candidatesMax) {
            guard unit.leases.count < policy.leasesPerUnitMax, !unit.isAvoided(by: follower, now: now, policy),
                let lease = unit.leases.first, lease.follower != follower,
                try isStraggler(lease, of: unit, now: now)
            else { continue }
            return unit
        }
        return nil
    }

    private mutating func isStraggler(
        _ lease: Lease, of unit: QueuedUnit, now: Timestamp
    ) throws(Rows.Failure) -> Bool {
        let age = now.seconds(since: lease.grantedAt)
        guard age >= policy.stragglerSecMin else { return false }
        let expected = try rows.job(of: unit.id.video)?.expectedSec(of: unit.task)
        // Before any unit is done there is nothing to compare with, and only what is far behind counts.
        return age >= max(policy.stragglerSecMin, policy.stragglerFactor * (expected ?? 2 * policy.stragglerSecMin))
    }
}
