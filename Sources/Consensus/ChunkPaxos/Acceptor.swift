import Base

/// One instance's acceptor: what a storage node has promised and accepted in it. ``ChunkAcceptor`` is the whole chunk's.
///
/// Invariants:
/// - `promised` never decreases, and is never below `accepted`'s ballot.
/// - Two values are never accepted under one ballot.
/// - Round 0 is accepted by an acceptor that has accepted nothing else, and promised by none.
/// - What an answer says is durable before the answer is sent: the caller writes the state that a call left behind to
///   its log, and only then replies.
package struct Acceptor: Hashable, Sendable {
    /// The highest ballot this acceptor has promised to; nil before any.
    package private(set) var promised: Ballot?
    package private(set) var accepted: Accepted?

    /// A value and the ballot under which it was accepted. `value` is opaque: a ``ChunkValue``'s canonical bytes.
    package struct Accepted: Hashable, Sendable {
        package let ballot: Ballot
        package let value: [UInt8]

        package init(ballot: Ballot, value: [UInt8]) {
            self.ballot = ballot
            self.value = value
        }
    }

    package enum Answer: Hashable, Sendable {
        /// The ballot is promised; `accepted` is what the proposer must adopt, if anything.
        case promised(accepted: Accepted?)
        /// The value is accepted under the ballot.
        case accepted
        /// A higher ballot was promised, or this ballot already carries another value.
        case rejected(promised: Ballot?, accepted: Accepted?)
    }

    package init(promised: Ballot? = nil, accepted: Accepted? = nil) {
        self.promised = promised
        self.accepted = accepted
    }

    /// Phase 1. A ballot equal to the promised one is answered again, so that a lost answer can be asked for twice.
    package mutating func onPrepare(_ ballot: Ballot) -> Answer {
        guard ballot.round > 0 else { return rejection }
        if let promised, ballot < promised { return rejection }
        promised = ballot
        return .promised(accepted: accepted)
    }

    /// Phase 2.
    package mutating func onAccept(_ ballot: Ballot, value: [UInt8]) -> Answer {
        if let promised, ballot < promised { return rejection }
        if let accepted, accepted.ballot == ballot, accepted.value != value { return rejection }
        // Round 0 skips phase 1, so it may fill an empty acceptor but never replace a value.
        if ballot.round == 0, let accepted, accepted.ballot != ballot { return rejection }
        promised = ballot
        accepted = Accepted(ballot: ballot, value: value)
        return .accepted
    }

    private var rejection: Answer { .rejected(promised: promised, accepted: accepted) }
}
