/// A unit that a follower was given.
package struct UnitGrant: Sendable, Hashable {
    package let unit: QueuedUnit
    package let token: FencingToken

    package init(unit: QueuedUnit, token: FencingToken) {
        self.unit = unit
        self.token = token
    }
}

/// What a follower is told of its lease.
package enum LeaseVerdict: Hashable, Sendable {
    case held
    /// The attempt is of no use any more, and why.
    case fenced(String)
}

/// What a follower is told of its result.
package enum ResultVerdict: Hashable, Sendable {
    /// It counts. The caller publishes it in the same transaction.
    case accepted(QueuedUnit)
    /// It counted before: the answer to that was lost.
    case repeated
    /// It is not what was asked for. The unit is given to another follower.
    case refused(String)
    case fenced(String)
}
