import Base

/// One proposer of one chunk's instance, for rounds above 0: both phases (Lamport, "Paxos Made Simple", §2.2).
///
/// Invariants:
/// - A ballot is used for one value only: the second phase begins once, with a majority's promises in hand.
/// - The value of the second phase is the accepted value of the highest ballot among those promises; only where none of
///   them had accepted anything is it the proposer's own.
/// - A value is called decided only after a majority accepted it under the one ballot.
/// - Answers to an earlier ballot change nothing but the highest round seen.
///
/// It has no clock and asks for no message twice: a caller that hears nothing reports the acceptor as lost, and after
/// `.preempted` it waits as it sees fit and calls ``onRetry()``.
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
        /// Two values under one ballot: an acceptor or the creator broke the protocol, and nothing safe can be done.
        case inconsistent(Ballot)
    }

    /// Which of the two questions an answer is to.
    package enum Question: Hashable, Sendable {
        case prepare, accept
    }

    private enum Phase: Hashable {
        /// Can become any of the others but `accepting` of another ballot.
        case idle
        /// Can become `accepting`, `idle` (preempted) or `ended` (inconsistent).
        case preparing
        /// Can become `ended` (decided) or `idle` (preempted).
        case accepting
        case ended
    }

    /// The instance's acceptors, in the order messages are sent.
    private let acceptors: [NodeID]
    private let proposer: UInt64
    private let ownValue: [UInt8]

    private var phase = Phase.idle
    private var roundSeenMax: UInt32
    private var ballot: Ballot
    /// Who granted the present phase, and who will not.
    private var granted: Set<NodeID> = []
    private var refused: Set<NodeID> = []
    private var adopted: Acceptor.Accepted?

    /// - Parameters:
    ///   - proposer: unique to this proposer among all that were ever started.
    ///   - value: what is proposed where nothing was accepted before.
    ///   - roundSeenMax: the highest round known to be in use, so that the first attempt starts above it.
    package init(acceptors: [NodeID], proposer: UInt64, value: [UInt8], roundSeenMax: UInt32 = 0) {
        self.acceptors = acceptors
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
        granted = []
        refused = []
        adopted = nil
        return acceptors.map { .prepare($0, ballot) }
    }

    /// The acceptor promised `ballot` and had accepted `accepted`.
    package mutating func onPromised(_ node: NodeID, _ ballot: Ballot, accepted: Acceptor.Accepted?) -> [Action] {
        guard counts(node, ballot, in: .preparing) else { return [] }
        granted.insert(node)
        if let accepted {
            if let adopted, adopted.ballot == accepted.ballot, adopted.value != accepted.value {
                phase = .ended
                return [.inconsistent(accepted.ballot)]
            }
            if adopted.map({ $0.ballot < accepted.ballot }) ?? true { adopted = accepted }
        }
        guard granted.count >= majority else { return preemptedIfHopeless() }
        phase = .accepting
        granted = []
        refused = []
        let value = adopted?.value ?? ownValue
        return acceptors.map { .accept($0, ballot, value: value) }
    }

    /// The acceptor accepted this proposer's value under `ballot`.
    package mutating func onAccepted(_ node: NodeID, _ ballot: Ballot) -> [Action] {
        guard counts(node, ballot, in: .accepting) else { return [] }
        granted.insert(node)
        guard granted.count >= majority else { return preemptedIfHopeless() }
        phase = .ended
        return [.decided(Acceptor.Accepted(ballot: ballot, value: adopted?.value ?? ownValue))]
    }

    /// The acceptor refused, having promised another ballot, or lacking the value's bytes.
    package mutating func onRejected(_ node: NodeID, _ question: Question, _ ballot: Ballot, promised: Ballot?)
        -> [Action]
    {
        if let promised { roundSeenMax = max(roundSeenMax, promised.round) }
        return onLost(node, question, ballot)
    }

    /// The acceptor did not answer and is not waited for.
    package mutating func onLost(_ node: NodeID, _ question: Question, _ ballot: Ballot) -> [Action] {
        guard counts(node, ballot, in: question == .prepare ? .preparing : .accepting) else { return [] }
        refused.insert(node)
        return preemptedIfHopeless()
    }

    private var majority: Int { acceptors.count / 2 + 1 }

    /// Whether an answer is to the question that is open, and the first one from that acceptor.
    private func counts(_ node: NodeID, _ ballot: Ballot, in phase: Phase) -> Bool {
        self.phase == phase && ballot == self.ballot && acceptors.contains(node) && !granted.contains(node)
            && !refused.contains(node)
    }

    private mutating func preemptedIfHopeless() -> [Action] {
        guard acceptors.count - refused.count < majority else { return [] }
        phase = .idle
        return [.preempted]
    }
}
