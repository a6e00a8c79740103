import Base
import Testing

@testable import ChunkPaxos

@Suite("The creator")
struct CreatorTests {
    private let voters: [Membership.Member]
    private let membership: Membership
    private let ballot = Ballot(round: 0, proposer: 5)

    init() throws {
        voters = try members([1, 2, 3])
        membership = try Membership(voters)
    }

    private func creator() -> Creator { Creator(membership: membership, proposer: 5, value: [1]) }

    @Test("alone, it needs one question to each and a majority of accepts")
    func alone() {
        var creator = creator()
        #expect(creator.onRetry() == voters.map { .accept($0.node, ballot, value: [1]) })
        #expect(creator.onAccepted(voters[0]).isEmpty)
        #expect(creator.onAccepted(voters[0]).isEmpty, "an answer twice is one answer")
        #expect(creator.onAccepted(voters[2]) == [.decided(.init(ballot: ballot, value: [1]))])
        #expect(creator.onAccepted(voters[1]).isEmpty)
        #expect(creator.onRetry().isEmpty)
    }

    @Test("who did not answer is asked again, who accepted is not")
    func retry() {
        var creator = creator()
        _ = creator.onRetry()
        #expect(creator.onAccepted(voters[1]).isEmpty)
        #expect(creator.onLost(voters[0].node).isEmpty)
        #expect(creator.onLost(voters[2].node) == [.stalled])
        #expect(creator.onLost(voters[2].node).isEmpty)
        #expect(
            creator.onRetry() == [0, 2].map { .accept(voters[$0].node, ballot, value: [1]) })
        #expect(creator.onAccepted(voters[0]) == [.decided(.init(ballot: ballot, value: [1]))])
    }

    @Test("an answer that comes after it was given up counts")
    func late() {
        var creator = creator()
        _ = creator.onRetry()
        for voter in voters { _ = creator.onLost(voter.node) }
        #expect(creator.onAccepted(voters[0]) == [])
        #expect(creator.onAccepted(voters[1]) == [.decided(.init(ballot: ballot, value: [1]))])
    }

    @Test("refused by so many that no majority is left, it is preempted for good")
    func preempted() {
        var creator = creator()
        _ = creator.onRetry()
        #expect(creator.onRejected(voters[0]).isEmpty)
        #expect(creator.onRejected(voters[1]) == [.preempted])
        #expect(creator.onAccepted(voters[2]).isEmpty)
        #expect(creator.onRetry().isEmpty)
    }

    @Test("one refusal and one silence of three leave the floor to another, since the silence may never end")
    func refusedAndLost() {
        var creator = creator()
        _ = creator.onRetry()
        #expect(creator.onAccepted(voters[0]).isEmpty)
        #expect(creator.onRejected(voters[1]).isEmpty)
        #expect(creator.onLost(voters[2].node) == [.preempted])
        #expect(creator.onRetry().isEmpty)
    }

    @Test("a wiped node's acceptance does not count, and one acceptor that went on tells of it")
    func others() throws {
        var creator = creator()
        _ = creator.onRetry()
        let wiped = Membership.Member(voters[0].node, AcceptorID(high: 9, low: 9))
        #expect(creator.onAccepted(wiped).isEmpty)
        #expect(creator.onReply(wiped, .foreign).isEmpty)
        #expect(creator.onReply(voters[1], .answered(.accepted)).isEmpty)
        let next = try #require(Configuration(initial: membership).successor(chosen: [2], holders: membership))
        #expect(creator.onReply(wiped, .superseded(next)).isEmpty)
        #expect(creator.onReply(voters[2], .superseded(next)) == [.superseded(next)])
        #expect(creator.onReply(voters[2], .answered(.accepted)).isEmpty)
    }
}
