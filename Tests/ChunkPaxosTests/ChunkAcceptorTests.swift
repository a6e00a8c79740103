import Base
import Testing

@testable import ChunkPaxos

@Suite("A chunk's acceptor")
struct ChunkAcceptorTests {
    private typealias Request = ChunkAcceptor.Request

    private let ballot = Ballot(round: 1, proposer: 1)
    private let initial: Configuration
    /// `c` is replaced by `d`.
    private let next: Configuration
    private let own: Membership.Member

    init() throws {
        initial = Configuration(initial: try Membership(try members([1, 2, 3])))
        next = try #require(initial.successor(chosen: [7], holders: try Membership(try members([1, 2, 4]))))
        own = try members([1])[0]
    }

    @Test("it votes in the configuration that names it, and keeps to that one")
    func votes() throws {
        var acceptor = ChunkAcceptor(own: own)
        #expect(acceptor.on(Request(initial, .prepare(ballot))) == .answered(.promised(accepted: nil)))
        #expect(acceptor.on(Request(initial, .accept(ballot, value: [7]))) == .answered(.accepted))
        #expect(acceptor.configuration == initial)
        let other = Configuration(initial: try Membership(try members([1, 2, 5])))
        let before = acceptor
        for question in [.prepare(Ballot(round: 9, proposer: 9)), .read, .install] as [ChunkAcceptor.Question] {
            #expect(acceptor.on(Request(other, question)) == .foreign)
        }
        #expect(acceptor == before)
        #expect(acceptor.on(Request(initial, .read)) == .state(acceptor.vote))
    }

    @Test("a disk that was wiped has no voice in the place of the one before")
    func wiped() throws {
        var wiped = ChunkAcceptor(own: Membership.Member(own.node, AcceptorID(high: 9, low: 9)))
        let before = wiped
        let questions: [ChunkAcceptor.Question] = [.prepare(ballot), .accept(ballot, value: [7]), .read, .install]
        for question in questions {
            #expect(wiped.on(Request(initial, question)) == .foreign)
        }
        #expect(wiped == before)
        let unnamed = Configuration(initial: try Membership([Membership.Member(own.node)]))
        #expect(wiped.on(Request(unnamed, .prepare(ballot))) == .answered(.promised(accepted: nil)))
    }

    @Test("the first vote in a version is the step to it, and what came before is refused from then on")
    func chain() throws {
        var acceptor = ChunkAcceptor(own: own)
        _ = acceptor.on(Request(initial, .accept(ballot, value: [7])))
        #expect(acceptor.on(Request(next, .read)) == .state(Acceptor()))
        #expect(acceptor.configuration == initial, "a read is no step")
        #expect(acceptor.on(Request(next, .prepare(ballot))) == .answered(.promised(accepted: nil)))
        #expect(acceptor.configuration == next)
        let high = Ballot(round: 9, proposer: 9)
        for question in [.prepare(high), .accept(high, value: [8]), .read, .install] as [ChunkAcceptor.Question] {
            #expect(acceptor.on(Request(initial, question)) == .superseded(next))
        }
        #expect(acceptor.vote == Acceptor(promised: ballot))
    }

    @Test("it can be told of a later version without a vote, more than one ahead too")
    func install() throws {
        var newcomer = ChunkAcceptor(own: try members([4])[0])
        #expect(newcomer.on(Request(initial, .install)) == .foreign)
        #expect(newcomer.on(Request(next, .install)) == .installed)
        #expect(newcomer.on(Request(next, .install)) == .installed)
        #expect(newcomer.configuration?.base == [7])
        let third = try #require(next.successor(chosen: [8], holders: next.membership))
        #expect(newcomer.on(Request(third, .install)) == .installed)
        #expect(newcomer.on(Request(next, .prepare(ballot))) == .superseded(third))
    }

    @Test("round 0 is the creator's in version 0, and nobody's in the others")
    func roundZero() {
        let zero = Ballot(round: 0, proposer: 1)
        var acceptor = ChunkAcceptor(own: own)
        #expect(acceptor.on(Request(initial, .prepare(zero))) == .answered(.rejected(promised: nil, accepted: nil)))
        let refusal = acceptor.on(Request(next, .accept(zero, value: [1])))
        #expect(refusal == .answered(.rejected(promised: nil, accepted: nil)))
        #expect(acceptor == ChunkAcceptor(own: own), "a refusal is no step to the next version")
        #expect(acceptor.on(Request(initial, .accept(zero, value: [1]))) == .answered(.accepted))
    }

    @Test("state that was kept without its configuration is version 0's")
    func restored() {
        let vote = Acceptor(promised: ballot, accepted: .init(ballot: ballot, value: [7]))
        var acceptor = ChunkAcceptor(own: own, vote: vote)
        #expect(acceptor.on(Request(initial, .read)) == .state(vote))
        #expect(acceptor.on(Request(next, .read)) == .state(Acceptor()))
    }
}
