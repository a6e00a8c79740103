import ChunkPaxos

/// A way to break the protocol on purpose. The simulation must find each: a checker that cannot fail proves nothing.
package enum Mutant: String, CaseIterable, Sendable {
    /// An acceptor that has restarted knows what it accepted, but not what it promised.
    case forgetsPromise = "forgets-promise"
    /// An acceptor accepts under a ballot below its promise.
    case acceptsLower = "accepts-lower"
    /// Half of the acceptors are taken for a quorum.
    case halfQuorum = "half-quorum"
    /// A proposer proposes its own value whatever was accepted before.
    case ignoresAccepted = "ignores-accepted"
    /// A proposer that has restarted uses its old ballots again, and a creator its ballot 0, with other bytes.
    case reusesBallot = "reuses-ballot"
    /// A disk that was wiped keeps its identity.
    case wipedVotes = "wiped-votes"
    /// An acceptor answers before its record is synchronized.
    case answersEarly = "answers-early"
    /// A chunk is moved on the strength of a value that was accepted, but not chosen.
    case movesUndecided = "moves-undecided"

    /// One line.
    package var summary: String {
        switch self {
        case .forgetsPromise: "an acceptor forgets its promise on restart"
        case .acceptsLower: "an acceptor accepts a lower ballot"
        case .halfQuorum: "half of the acceptors are a quorum"
        case .ignoresAccepted: "a proposer ignores what was accepted"
        case .reusesBallot: "a ballot is used again after a restart"
        case .wipedVotes: "a wiped disk votes"
        case .answersEarly: "an acceptor answers before it is durable"
        case .movesUndecided: "a move rests on an undecided value"
        }
    }
}

/// Where the cores are joined to disks, network and each other. With no mutant every function is the plain call; a
/// mutant bends one of them. The cores know nothing of it.
struct Joints {
    let mutant: Mutant?

    func ask(_ acceptor: inout ChunkAcceptor, _ request: ChunkAcceptor.Request) -> ChunkAcceptor.Reply {
        if mutant == .acceptsLower, case .accept = request.question { acceptor = Self.withoutPromise(acceptor) }
        return acceptor.on(request)
    }

    /// The acceptor that a restarted node finds on its disk.
    func recover(_ own: Membership.Member, _ record: SimulatedDisk.Record?) -> ChunkAcceptor {
        let acceptor = ChunkAcceptor(
            own: own, configuration: record?.configuration, vote: record?.vote ?? Acceptor())
        return mutant == .forgetsPromise ? Self.withoutPromise(acceptor) : acceptor
    }

    /// The identity of a disk that has taken the place of another.
    func identity(replacing old: AcceptorID, by new: AcceptorID) -> AcceptorID { mutant == .wipedVotes ? old : new }

    var answersBeforeDurable: Bool { mutant == .answersEarly }
    var restartsUnderOldNumber: Bool { mutant == .reusesBallot }
    var movesUndecided: Bool { mutant == .movesUndecided }

    /// - Parameter grants: how many members have granted this question, with this one.
    func deliver(
        _ reply: ChunkAcceptor.Reply, of voter: Membership.Member, to question: Proposer.Question, _ ballot: Ballot,
        _ proposer: inout Proposer, _ membership: Membership, grants: Int
    ) -> [Proposer.Action] {
        var reply = reply
        if mutant == .ignoresAccepted, case .answered(.promised) = reply {
            reply = .answered(.promised(accepted: nil))
        }
        let actions = proposer.onReply(voter, to: question, ballot, reply)
        guard actions.isEmpty, isHalf(grants, of: membership) else { return actions }
        for other in membership.members {
            let actions = proposer.onReply(other, to: question, ballot, reply)
            guard actions.isEmpty else { return actions }
        }
        return []
    }

    func deliver(
        _ reply: ChunkAcceptor.Reply, of voter: Membership.Member, _ creator: inout Creator, _ membership: Membership,
        grants: Int
    ) -> [Creator.Action] {
        let actions = creator.onReply(voter, reply)
        guard actions.isEmpty, isHalf(grants, of: membership) else { return actions }
        for other in membership.members {
            let actions = creator.onReply(other, reply)
            guard actions.isEmpty else { return actions }
        }
        return []
    }

    /// Whether the missing votes are to be made up, by counting one vote in the name of the others.
    private func isHalf(_ grants: Int, of membership: Membership) -> Bool {
        mutant == .halfQuorum && grants > 0 && grants >= membership.members.count / 2
    }

    private static func withoutPromise(_ acceptor: ChunkAcceptor) -> ChunkAcceptor {
        ChunkAcceptor(
            own: acceptor.own, configuration: acceptor.configuration, vote: Acceptor(accepted: acceptor.vote.accepted))
    }
}
