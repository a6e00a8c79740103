import Base
import Testing

@testable import ChunkPaxos

@Suite("Proposer and learner")
struct ProposerTests {
    private let nodes = ["a", "b", "c"].compactMap { NodeID($0) }
    private var voters: [Membership.Member] { nodes.map { Membership.Member($0) } }
    private let ours = Array("ours".utf8)
    private let theirs = Array("theirs".utf8)

    private func proposer(_ id: UInt64 = 5, roundSeenMax: UInt32 = 0) throws -> Proposer {
        Proposer(membership: try Membership(voters), proposer: id, value: ours, roundSeenMax: roundSeenMax)
    }

    @Test("alone, it needs a majority of promises and a majority of accepts")
    func alone() throws {
        var proposer = try proposer()
        let ballot = Ballot(round: 1, proposer: 5)
        #expect(proposer.onRetry() == nodes.map { .prepare($0, ballot) })
        #expect(proposer.onPromised(voters[0], ballot, accepted: nil).isEmpty)
        #expect(
            proposer.onPromised(voters[2], ballot, accepted: nil) == nodes.map { .accept($0, ballot, value: ours) })
        #expect(proposer.onPromised(voters[1], ballot, accepted: nil).isEmpty)
        #expect(proposer.onAccepted(voters[1], ballot).isEmpty)
        #expect(proposer.onAccepted(voters[1], ballot).isEmpty, "an answer twice is one answer")
        #expect(proposer.onAccepted(voters[0], ballot) == [.decided(.init(ballot: ballot, value: ours))])
        #expect(proposer.onAccepted(voters[2], ballot).isEmpty)
        #expect(proposer.onRetry().isEmpty, "what is decided is not proposed again")
    }

    @Test("it adopts the accepted value of the highest ballot, not the first it hears of")
    func adopts() throws {
        var proposer = try proposer()
        _ = proposer.onRetry()
        let ballot = Ballot(round: 1, proposer: 5)
        let low = Acceptor.Accepted(ballot: Ballot(round: 0, proposer: 1), value: Array("low".utf8))
        let high = Acceptor.Accepted(ballot: Ballot(round: 0, proposer: 2), value: theirs)
        #expect(proposer.onPromised(voters[0], ballot, accepted: high).isEmpty)
        #expect(
            proposer.onPromised(voters[1], ballot, accepted: low) == nodes.map { .accept($0, ballot, value: theirs) })
        _ = proposer.onAccepted(voters[0], ballot)
        #expect(proposer.onAccepted(voters[1], ballot) == [.decided(.init(ballot: ballot, value: theirs))])
    }

    @Test("refused by a majority, it is preempted and goes above the ballot it was refused for")
    func preempted() throws {
        var proposer = try proposer()
        _ = proposer.onRetry()
        let ballot = Ballot(round: 1, proposer: 5)
        let rival = Ballot(round: 7, proposer: 9)
        #expect(proposer.onRejected(voters[0], .prepare, ballot, promised: rival).isEmpty)
        #expect(proposer.onRejected(voters[0], .prepare, ballot, promised: rival).isEmpty)
        #expect(proposer.onRejected(voters[1], .prepare, ballot, promised: nil) == [.preempted])
        #expect(proposer.onRetry() == nodes.map { .prepare($0, Ballot(round: 8, proposer: 5)) })
        #expect(proposer.onPromised(voters[2], ballot, accepted: nil).isEmpty, "an answer to the ballot before")
    }

    @Test("a lost answer to the first question does not count against the second")
    func lostAnswers() throws {
        var proposer = try proposer()
        _ = proposer.onRetry()
        let ballot = Ballot(round: 1, proposer: 5)
        for node in nodes.prefix(2) { _ = proposer.onPromised(Membership.Member(node), ballot, accepted: nil) }
        #expect(proposer.onLost(nodes[2], .prepare, ballot).isEmpty)
        #expect(proposer.onLost(nodes[0], .accept, ballot).isEmpty)
        #expect(proposer.onAccepted(voters[2], ballot).isEmpty)
        #expect(proposer.onAccepted(voters[1], ballot) == [.decided(.init(ballot: ballot, value: ours))])
    }

    @Test("two values under one ballot stop it")
    func inconsistent() throws {
        var proposer = try proposer()
        _ = proposer.onRetry()
        let ballot = Ballot(round: 1, proposer: 5)
        let zero = Ballot(round: 0, proposer: 1)
        _ = proposer.onPromised(voters[0], ballot, accepted: .init(ballot: zero, value: ours))
        let actions = proposer.onPromised(voters[1], ballot, accepted: .init(ballot: zero, value: theirs))
        #expect(actions == [.inconsistent(zero)])
        #expect(proposer.onRetry().isEmpty)
    }

    @Test("answers of strangers and the end of the rounds change nothing")
    func strangers() throws {
        let stranger = try #require(NodeID("stranger"))
        var proposer = try proposer(roundSeenMax: .max - 1)
        let ballot = Ballot(round: .max, proposer: 5)
        #expect(proposer.onRetry() == nodes.map { .prepare($0, ballot) })
        _ = proposer.onPromised(voters[0], ballot, accepted: nil)
        #expect(proposer.onPromised(Membership.Member(stranger), ballot, accepted: nil).isEmpty)
        _ = proposer.onLost(nodes[1], .prepare, ballot)
        #expect(proposer.onLost(nodes[2], .prepare, ballot) == [.preempted])
        #expect(proposer.onRetry().isEmpty, "there is no higher round")
    }

    @Test("the learner says chosen only for one value under one ballot at a majority")
    func learner() throws {
        let zero = Acceptor.Accepted(ballot: Ballot(round: 0, proposer: 1), value: ours)
        let later = Acceptor.Accepted(ballot: Ballot(round: 1, proposer: 2), value: ours)
        let rival = Acceptor.Accepted(ballot: zero.ballot, value: theirs)
        func verdict(_ reports: [(Int, Acceptor.Accepted?)]) throws -> Learner.Verdict {
            var learner = Learner(membership: try Membership(voters))
            for (index, accepted) in reports {
                learner.onReport(voters[index], Acceptor(promised: accepted?.ballot, accepted: accepted))
            }
            return learner.verdict
        }
        #expect(try verdict([]) == .unknown)
        #expect(try verdict([(0, nil)]) == .unknown)
        #expect(try verdict([(0, zero)]) == .unknown)
        #expect(try verdict([(0, zero), (0, zero)]) == .unknown, "one acceptor is one voice")
        #expect(try verdict([(0, nil), (2, nil)]) == .empty)
        #expect(try verdict([(0, zero), (2, nil)]) == .undecided(zero))
        #expect(try verdict([(0, zero), (1, later), (2, nil)]) == .undecided(later))
        #expect(try verdict([(0, zero), (2, zero)]) == .chosen(zero, by: [nodes[0], nodes[2]]))
        #expect(try verdict([(0, zero), (1, rival)]) == .conflict(zero, rival))
    }

    @Test("the learner knows the highest round and forgets nothing of strangers")
    func learnerRounds() throws {
        var learner = Learner(membership: try Membership(voters))
        let stranger = Membership.Member(try #require(NodeID("stranger")))
        learner.onReport(stranger, Acceptor(promised: Ballot(round: 99, proposer: 1)))
        #expect(learner.roundSeenMax == 0)
        learner.onReport(voters[0], Acceptor(promised: Ballot(round: 4, proposer: 1)))
        #expect(learner.roundSeenMax == 4)
    }

    @Test("a node that answers under another identity has no vote, in either phase and in no report")
    func identities() throws {
        let named = try members([1, 2, 3])
        let wiped = Membership.Member(named[0].node, AcceptorID(high: 9, low: 9))
        let ballot = Ballot(round: 1, proposer: 5)
        var proposer = Proposer(membership: try Membership(named), proposer: 5, value: ours)
        _ = proposer.onRetry()
        #expect(proposer.onPromised(wiped, ballot, accepted: nil).isEmpty)
        #expect(proposer.onPromised(named[1], ballot, accepted: nil).isEmpty, "one promise so far")
        #expect(proposer.onReply(wiped, to: .prepare, ballot, .foreign).isEmpty)
        #expect(proposer.onPromised(named[2], ballot, accepted: nil).count == 3)
        #expect(proposer.onAccepted(wiped, ballot).isEmpty)
        #expect(proposer.onAccepted(named[1], ballot).isEmpty)
        #expect(proposer.onReply(wiped, to: .accept, ballot, .foreign).isEmpty)
        #expect(proposer.onReply(named[2], to: .accept, ballot, .foreign) == [.preempted])

        var learner = Learner(membership: try Membership(named))
        learner.onReport(wiped, Acceptor())
        learner.onReport(named[1], Acceptor())
        #expect(learner.verdict == .unknown)
    }

    @Test("an acceptor in a later version ends the proposal and answers the learner")
    func superseded() throws {
        let named = try members([1, 2, 3])
        let membership = try Membership(named)
        let next = try #require(Configuration(initial: membership).successor(chosen: theirs, holders: membership))
        let later = try #require(next.successor(chosen: ours, holders: membership))
        let stranger = try members([4])[0]
        var proposer = Proposer(membership: membership, proposer: 5, value: ours)
        _ = proposer.onRetry()
        let ballot = Ballot(round: 1, proposer: 5)
        #expect(proposer.onReply(stranger, to: .prepare, ballot, .superseded(next)).isEmpty)
        #expect(proposer.onReply(named[0], to: .prepare, ballot, .superseded(next)) == [.superseded(next)])
        #expect(proposer.onRetry().isEmpty)

        var learner = Learner(membership: membership)
        learner.onReply(named[0], .state(Acceptor()))
        learner.onReply(stranger, .superseded(later))
        #expect(learner.verdict == .unknown)
        learner.onReply(named[1], .superseded(later))
        learner.onReply(named[2], .superseded(next))
        #expect(learner.verdict == .superseded(later))
    }
}
