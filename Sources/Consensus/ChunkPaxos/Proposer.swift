import Base

/// One proposer of one instance, for rounds above 0: both phases (Lamport, "Paxos Made Simple", §2.2).
///
/// Invariants:
/// - A ballot is used for one value only: the second phase begins once, with a majority's promises in hand.
/// - The value of the second phase is the accepted value of the highest ballot among those promises; only where none of
///   them had accepted anything is it the proposer's own.
/// - A value is called decided only after a majority accepted it under the one ballot.
/// - Answers to an earlier ballot change nothing but the highest round seen; answers of strangers, and of nodes whose
///   identity is not the one in the membership, change nothing at all.
///
/// It has no clock and asks for no message twice: a caller that hears nothing reports the acceptor as lost, and after
/// `.preempted` it waits (``Backoff``) and calls ``onRetry()``.
package struct Proposer: Hashable, Sendable {
    package enum Action: Hashable, Sendable {
        /// Ask the acceptor to promise the ballot.
        case prepare(NodeID, Ballot)
        /// Ask the acceptor to accept the value under the ballot.
        case accept(NodeID, Ballot, value: [UInt8])
        /// The value is chosen for good. It may be another's.
        case decided(Acceptor.Accepted)
        /// A majority can no more be had under this ballot.
        case preempted
        /// The instance was decided, and the chunk has gone on to this configuration.
        case superseded(Configuration)
        /// Two values under one ballot: an acceptor or the creator broke the protocol, and nothing safe can be done.
        case inconsistent(Ballot)
    }

    /// Which of the two questions an answer is to.
    package enum Question: Hashable, Sendable {
        case prepare, accept
    }

    private enum Phase: Hashable {
        /// Can become `preparing`.
        case idle
        /// Can become `accepting`, `idle` (preempted) or `ended` (superseded, inconsistent).
        case preparing
        /// Can become `ended` (decided, superseded) or `idle` (preempted).
        case accepting
        case ended
    }

    private let membership: Membership
    private let proposer: UInt64
    private let ownValue: [UInt8]

    private var phase = Phase.idle
    private var roundSeenMax: UInt32
    private var ballot: Ballot
    /// Who granted the present phase, and who will not.
    private var granted = Votes()
    private var refused = Votes()
    private var adopted: Acceptor.Accepted?

    /// - Parameters:
    ///   - proposer: unique to this proposer among all that were ever started.
    ///   - value: what is proposed where nothing was accepted before.
    ///   - roundSeenMax: the highest round known to be in use, so that the first attempt starts above it.
    package init(membership: Membership, proposer: UInt64, value: [UInt8], roundSeenMax: UInt32 = 0) {
        self.membership = membership
        self.proposer = proposer
        ownValue = value
        self.roundSeenMax = roundSeenMax
        ballot = Ballot(round: roundSeenMax, proposer: proposer)
    }

    /// Begins the first phase under a ballot above every one seen; the same as the first attempt and after `.preempted`.
    package mutating func onRetry() -> [Action] {
        guard phase == .idle, roundSeenMax < UInt32.max else { return [] }
        roundSeenMax += 1
        ballot = Ballot(round: roundSeenMax, proposer: proposer)
        phase = .preparing
        granted = Votes()
        refused = Votes()
        adopted = nil
        return membership.members.map { .prepare($0.node, ballot) }
    }

    /// The acceptor promised `ballot` and had accepted `accepted`.
    package mutating func onPromised(
        _ voter: Membership.Member, _ ballot: Ballot, accepted: Acceptor.Accepted?
    ) -> [Action] {
        guard let index = openIndex(of: voter, ballot, in: .preparing) else { return [] }
        granted.insert(index)
        if let accepted {
            if let adopted, adopted.ballot == accepted.ballot, adopted.value != accepted.value {
                phase = .ended
                return [.inconsistent(accepted.ballot)]
            }
            if adopted.map({ $0.ballot < accepted.ballot }) ?? true { adopted = accepted }
        }
        guard granted.count >= membership.quorum else { return preemptedIfHopeless() }
        phase = .accepting
        granted = Votes()
        refused = Votes()
        let value = adopted?.value ?? ownValue
        return membership.members.map { .accept($0.node, ballot, value: value) }
    }

    /// The acceptor accepted this proposer's value under `ballot`.
    package mutating func onAccepted(_ voter: Membership.Member, _ ballot: Ballot) -> [Action] {
        guard let index = openIndex(of: voter, ballot, in: .accepting) else { return [] }
        granted.insert(index)
        guard granted.count >= membership.quorum else { return preemptedIfHopeless() }
        phase = .ended
        return [.decided(Acceptor.Accepted(ballot: ballot, value: adopted?.value ?? ownValue))]
    }

    /// The acceptor refused, having promised another ballot, or lacking the value's bytes.
    package mutating func onRejected(
        _ voter: Membership.Member, _ question: Question, _ ballot: Ballot, promised: Ballot?
    ) -> [Action] {
        guard membership.index(of: voter) != nil else { return [] }
        if let promised { roundSeenMax = max(roundSeenMax, promised.round) }
        return onLost(voter.node, question, ballot)
    }

    /// The acceptor did not answer and is not waited for, or has no voice here.
    package mutating func onLost(_ node: NodeID, _ question: Question, _ ballot: Ballot) -> [Action] {
        guard let index = membership.members.firstIndex(where: { $0.node == node }),
            isOpen(index, ballot, in: question == .prepare ? .preparing : .accepting)
        else { return [] }
        refused.insert(index)
        return preemptedIfHopeless()
    }

    /// The instance was decided long ago.
    package mutating func onSuperseded(_ voter: Membership.Member, by configuration: Configuration) -> [Action] {
        guard phase != .ended, membership.index(of: voter) != nil else { return [] }
        phase = .ended
        return [.superseded(configuration)]
    }

    /// Whatever the acceptor replied to the question under `ballot`.
    package mutating func onReply(
        _ voter: Membership.Member, to question: Question, _ ballot: Ballot, _ reply: ChunkAcceptor.Reply
    ) -> [Action] {
        switch (question, reply) {
        case (.prepare, .answered(.promised(let accepted))): onPromised(voter, ballot, accepted: accepted)
        case (.accept, .answered(.accepted)): onAccepted(voter, ballot)
        case (_, .answered(.rejected(let promised, _))): onRejected(voter, question, ballot, promised: promised)
        case (_, .superseded(let configuration)): onSuperseded(voter, by: configuration)
        case (_, .foreign): onLost(voter.node, question, ballot)
        case (_, .answered), (_, .state), (_, .installed): []
        }
    }

    /// The voter's place, if this is an answer to the open question and the first one from there.
    private func openIndex(of voter: Membership.Member, _ ballot: Ballot, in phase: Phase) -> Int? {
        guard let index = membership.index(of: voter), isOpen(index, ballot, in: phase) else { return nil }
        return index
    }

    private func isOpen(_ index: Int, _ ballot: Ballot, in phase: Phase) -> Bool {
        self.phase == phase && ballot == self.ballot && !granted.contains(index) && !refused.contains(index)
    }

    private mutating func preemptedIfHopeless() -> [Action] {
        guard membership.members.count - refused.count < membership.quorum else { return [] }
        phase = .idle
        return [.preempted]
    }
}
