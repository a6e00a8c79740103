import Base

// How a unit's leases come and go. Each call keeps the invariants of ``QueuedUnit``.
extension QueuedUnit {
    /// Followers that are remembered as having failed the unit.
    private static let avoidedMax = 8

    func isAvoided(by follower: FollowerID, now: Timestamp, _ policy: JobPolicy) -> Bool {
        // A time too far away is that of a clock that has been set back since.
        avoided.contains {
            $0.follower == follower && now < $0.until && $0.until.seconds(since: now) <= policy.avoidanceSec
        }
    }

    mutating func grant(to follower: FollowerID, now: Timestamp) -> Lease {
        precondition(state == .open && !leases.contains { $0.follower == follower }, "\(id) is not to be had")
        lastToken = lastToken.next
        let lease = Lease(token: lastToken, follower: follower, grantedAt: now, renewedAt: now)
        leases.append(lease)
        return lease
    }

    mutating func renew(_ token: FencingToken, _ progress: UnitProgress?, now: Timestamp) {
        guard let index = leases.firstIndex(where: { $0.token == token }) else { return }
        leases[index].renewedAt = now
        if let progress { leases[index].progress = progress }
    }

    /// Ends what nobody has renewed for too long, and counts it as failed.
    /// - Returns: what ended.
    mutating func expire(now: Timestamp, _ policy: JobPolicy) -> [Lease] {
        var ended: [Lease] = []
        for index in leases.indices where leases[index].renewedAt > now {
            // The clock was set back: it cannot be told how long ago that was, so it counts from now.
            leases[index].renewedAt = now
        }
        for lease in leases where now.seconds(since: lease.renewedAt) >= policy.leaseSec {
            let reason = "\(lease.follower) was not heard of for \(Int(policy.leaseSec)) seconds"
            ended += fail(lease.token, reason, now: now, policy)
        }
        return ended
    }

    /// The attempt failed: another follower shall have the unit, or nobody after too many.
    mutating func fail(_ token: FencingToken, _ reason: String, now: Timestamp, _ policy: JobPolicy) -> [Lease] {
        let ended = release(token)
        for lease in ended {
            attempts += 1
            lastError = reason
            avoided.removeAll { $0.follower == lease.follower || $0.until <= now }
            avoided.append(Avoidance(follower: lease.follower, until: now.adding(seconds: policy.avoidanceSec)))
            if avoided.count > Self.avoidedMax { avoided.removeFirst() }
        }
        if leases.isEmpty, attempts >= policy.attemptsMax { state = .failed }
        return ended
    }

    /// Ends the lease, which is nobody's fault.
    mutating func release(_ token: FencingToken) -> [Lease] {
        let ended = leases.filter { $0.token == token }
        leases.removeAll { $0.token == token }
        return ended
    }

    /// The attempt's result counts from now on, and no other ever will.
    /// - Returns: the leases that came to nothing.
    mutating func accept(_ token: FencingToken) -> [Lease] {
        precondition(state == .open && lease(token) != nil, "\(id) has no live attempt \(token.number)")
        let others = leases.filter { $0.token != token }
        state = .done(token)
        leases = []
        return others
    }

    /// - Returns: the leases that end.
    mutating func revokeAll() -> [Lease] {
        defer { leases = [] }
        return leases
    }

    mutating func reopen() {
        guard state == .failed else { return }
        state = .open
        attempts = 0
        avoided = []
    }
}
