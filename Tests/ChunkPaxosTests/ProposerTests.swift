import Base
import Testing

@testable import ChunkPaxos

@Suite("Proposer and learner")
struct ProposerTests {
    private let nodes = ["a", "b", "c"].compactMap { NodeID($0) }
    private let ours = Array("ours".utf8)
    private let theirs = Array("theirs".utf8)

    private func proposer(_ id: UInt64 = 5, roundSeenMax: UInt32 = 0) -> Proposer {
        Proposer(acceptors: nodes, proposer: id, value: ours, roundSeenMax: roundSeenMax)
    }

    @Test("alone, it needs a majority of promises and a majority of accepts")
    func alone() {
        var proposer = proposer()
        let ballot = Ballot(round: 1, proposer: 5)
        #expect(proposer.onRetry() == nodes.map { .prepare($0, ballot) })
        #expect(proposer.onPromised(nodes[0], ballot, accepted: nil).isEmpty)
        #expect(
            proposer.onPromised(nodes[2], ballot, accepted: nil) == nodes.map { .accept($0, ballot, value: ours) })
        #expect(proposer.onPromised(nodes[1], ballot, accepted: nil).isEmpty)
        #expect(proposer.onAccepted(nodes[1], ballot).isEmpty)
        #expect(proposer.onAccepted(nodes[1], ballot).isEmpty, "an answer twice is one answer")
        #expect(proposer.onAccepted(nodes[0], ballot) == [.decided(.init(ballot: ballot, value: ours))])
        #expect(proposer.onAccepted(nodes[2], ballot).isEmpty)
        #expect(proposer.onRetry().isEmpty, "what is decided is not proposed again")
    }

    @Test("it adopts the accepted value of the highest ballot, not the first it hears of")
    func adopts() {
        var proposer = proposer()
        _ = proposer.onRetry()
        let ballot = Ballot(round: 1, proposer: 5)
        let low = Acceptor.Accepted(ballot: Ballot(round: 0, proposer: 1), value: Array("low".utf8))
        let high = Acceptor.Accepted(ballot: Ballot(round: 0, proposer: 2), value: theirs)
        #expect(proposer.onPromised(nodes[0], ballot, accepted: high).isEmpty)
        #expect(
            proposer.onPromised(nodes[1], ballot, accepted: low) == nodes.map { .accept($0, ballot, value: theirs) })
        _ = proposer.onAccepted(nodes[0], ballot)
        #expect(proposer.onAccepted(nodes[1], ballot) == [.decided(.init(ballot: ballot, value: theirs))])
    }

    @Test("refused by a majority, it is preempted and goes above the ballot it was refused for")
    func preempted() {
        var proposer = proposer()
        _ = proposer.onRetry()
        let ballot = Ballot(round: 1, proposer: 5)
        let rival = Ballot(round: 7, proposer: 9)
        #expect(proposer.onRejected(nodes[0], .prepare, ballot, promised: rival).isEmpty)
        #expect(proposer.onRejected(nodes[0], .prepare, ballot, promised: rival).isEmpty)
        #expect(proposer.onRejected(nodes[1], .prepare, ballot, promised: nil) == [.preempted])
        #expect(proposer.onRetry() == nodes.map { .prepare($0, Ballot(round: 8, proposer: 5)) })
        #expect(proposer.onPromised(nodes[2], ballot, accepted: nil).isEmpty, "an answer to the ballot before")
    }

    @Test("a lost answer to the first question does not count against the second")
    func lostAnswers() {
        var proposer = proposer()
        _ = proposer.onRetry()
        let ballot = Ballot(round: 1, proposer: 5)
        for node in nodes.prefix(2) { _ = proposer.onPromised(node, ballot, accepted: nil) }
        #expect(proposer.onLost(nodes[2], .prepare, ballot).isEmpty)
        #expect(proposer.onLost(nodes[0], .accept, ballot).isEmpty)
        #expect(proposer.onAccepted(nodes[2], ballot).isEmpty)
        #expect(proposer.onAccepted(nodes[1], ballot) == [.decided(.init(ballot: ballot, value: ours))])
    }

    @Test("two values under one ballot stop it")
    func inconsistent() {
        var proposer = proposer()
        _ = proposer.onRetry()
        let ballot = Ballot(round: 1, proposer: 5)
        let zero = Ballot(round: 0, proposer: 1)
        _ = proposer.onPromised(nodes[0], ballot, accepted: .init(ballot: zero, value: ours))
        let actions = proposer.onPromised(nodes[1], ballot, accepted: .init(ballot: zero, value: theirs))
        #expect(actions == [.inconsistent(zero)])
        #expect(proposer.onRetry().isEmpty)
    }

    @Test("answers of strangers and the end of the rounds change nothing")
    func strangers() throws {
        let stranger = try #require(NodeID("stranger"))
        var proposer = proposer(roundSeenMax: .max - 1)
        let ballot = Ballot(round: .max, proposer: 5)
        #expect(proposer.onRetry() == nodes.map { .prepare($0, ballot) })
        _ = proposer.onPromised(nodes[0], ballot, accepted: nil)
        #expect(proposer.onPromised(stranger, ballot, accepted: nil).isEmpty)
        _ = proposer.onLost(nodes[1], .prepare, ballot)
        #expect(proposer.onLost(nodes[2], .prepare, ballot) == [.preempted])
        #expect(proposer.onRetry().isEmpty, "there is no higher round")
    }

    @Test("the learner says chosen only for one value under one ballot at a majority")
    func learner() {
        let zero = Acceptor.Accepted(ballot: Ballot(round: 0, proposer: 1), value: ours)
        let later = Acceptor.Accepted(ballot: Ballot(round: 1, proposer: 2), value: ours)
        let rival = Acceptor.Accepted(ballot: zero.ballot, value: theirs)
        func verdict(_ reports: [(Int, Acceptor.Accepted?)]) -> Learner.Verdict {
            var learner = Learner(acceptors: nodes)
            for (index, accepted) in reports {
                learner.onReport(nodes[index], promised: accepted?.ballot, accepted: accepted)
            }
            return learner.verdict
        }
        #expect(verdict([]) == .unknown)
        #expect(verdict([(0, nil)]) == .unknown)
        #expect(verdict([(0, zero)]) == .unknown)
        #expect(verdict([(0, zero), (0, zero)]) == .unknown, "one acceptor is one voice")
        #expect(verdict([(0, nil), (2, nil)]) == .empty)
        #expect(verdict([(0, zero), (2, nil)]) == .undecided(zero))
        #expect(verdict([(0, zero), (1, later), (2, nil)]) == .undecided(later))
        #expect(verdict([(0, zero), (2, zero)]) == .chosen(zero, by: [nodes[0], nodes[2]]))
        #expect(verdict([(0, zero), (1, rival)]) == .conflict(zero, rival))
    }

    @Test("the learner knows the highest round and forgets nothing of strangers")
    func learnerRounds() throws {
        var learner = Learner(acceptors: nodes)
        learner.onReport(try #require(NodeID("stranger")), promised: Ballot(round: 99, proposer: 1), accepted: nil)
        #expect(learner.roundSeenMax == 0)
        learner.onReport(nodes[0], promised: Ballot(round: 4, proposer: 1), accepted: nil)
        #expect(learner.roundSeenMax == 4)
    }
}
