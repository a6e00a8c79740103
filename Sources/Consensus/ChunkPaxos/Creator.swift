import Base

/// The creator of a video, proposing one of its chunks under ballot 0: one question to each acceptor, and with a
/// majority of accepts the value is chosen.
///
/// Invariants:
/// - It proposes one value under its ballot, ever. Whoever cannot be sure to propose the same bytes again, as after a
///   restart, must not go on as the creator, but as a ``Proposer``.
/// - A value is called decided only after a majority accepted it.
///
/// It has no clock: a caller that hears nothing reports the acceptor as lost, and after `.stalled` waits as it sees fit
/// and calls ``onRetry()``.
package struct Creator: Hashable, Sendable {
    package enum Action: Hashable, Sendable {
        /// Ask the acceptor to store the bytes and accept the value.
        case accept(NodeID, Ballot, value: [UInt8])
        /// The value is chosen for good.
        case decided(Acceptor.Accepted)
        /// Too few have answered, but nobody refused. Ask again later.
        case stalled
        /// Somebody refused, and there is no majority without: another proposer has the floor. Go on as a ``Proposer``.
        case preempted
        /// The instance was decided, and the chunk has gone on to this configuration.
        case superseded(Configuration)
    }

    private let membership: Membership
    private let ballot: Ballot
    private let value: [UInt8]

    private var accepted = Votes()
    private var refused = Votes()
    private var lost = Votes()
    private var hasEnded = false

    /// - Parameter proposer: the number that was handed out with the video.
    package init(membership: Membership, proposer: UInt64, value: [UInt8]) {
        self.membership = membership
        ballot = Ballot(round: 0, proposer: proposer)
        self.value = value
    }

    /// Asks everybody that has neither accepted nor refused; the same as the first attempt and after `.stalled`.
    package mutating func onRetry() -> [Action] {
        guard !hasEnded else { return [] }
        lost = Votes()
        return membership.members.indices.filter { !accepted.contains($0) && !refused.contains($0) }
            .map { .accept(membership.members[$0].node, ballot, value: value) }
    }

    package mutating func onAccepted(_ voter: Membership.Member) -> [Action] {
        guard let index = openIndex(of: voter) else { return [] }
        accepted.insert(index)
        guard accepted.count >= membership.quorum else { return outcome(with: index) }
        hasEnded = true
        return [.decided(Acceptor.Accepted(ballot: ballot, value: value))]
    }

    /// The acceptor has promised another ballot, or accepted another value. It will not change its mind.
    package mutating func onRejected(_ voter: Membership.Member) -> [Action] {
        guard let index = openIndex(of: voter) else { return [] }
        refused.insert(index)
        guard membership.members.count - refused.count < membership.quorum else { return outcome(with: index) }
        hasEnded = true
        return [.preempted]
    }

    /// The acceptor did not answer and is not waited for.
    package mutating func onLost(_ node: NodeID) -> [Action] {
        guard !hasEnded, let index = membership.members.firstIndex(where: { $0.node == node }),
            !accepted.contains(index), !refused.contains(index), !lost.contains(index)
        else { return [] }
        defer { lost.insert(index) }
        return outcome(with: index)
    }

    /// Whatever the acceptor replied.
    package mutating func onReply(_ voter: Membership.Member, _ reply: ChunkAcceptor.Reply) -> [Action] {
        switch reply {
        case .answered(.accepted): return onAccepted(voter)
        case .answered(.rejected): return onRejected(voter)
        case .superseded(let configuration):
            guard openIndex(of: voter) != nil else { return [] }
            hasEnded = true
            return [.superseded(configuration)]
        case .foreign: return onLost(voter.node)
        case .answered(.promised), .state, .installed: return []
        }
    }

    private func openIndex(of voter: Membership.Member) -> Int? {
        guard !hasEnded, let index = membership.index(of: voter), !accepted.contains(index), !refused.contains(index)
        else { return nil }
        return index
    }

    /// What comes of it if `index` was the last that was waited for. One that had been given up already was not.
    private mutating func outcome(with index: Int) -> [Action] {
        let isOpen = membership.members.indices.contains { other in
            other != index && !accepted.contains(other) && !refused.contains(other) && !lost.contains(other)
        }
        guard !isOpen, !lost.contains(index) else { return [] }
        // Who is lost may be so for ever, and who refused will not change its mind.
        hasEnded = refused.count > 0
        return [hasEnded ? .preempted : .stalled]
    }
}
