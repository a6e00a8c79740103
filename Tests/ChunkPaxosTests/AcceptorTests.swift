import Testing

@testable import ChunkPaxos

@Suite("An acceptor")
struct AcceptorTests {
    private let low = Ballot(round: 1, proposer: 1)
    private let high = Ballot(round: 1, proposer: 2)
    private let creator = Ballot(round: 0, proposer: 9)

    @Test("promises a ballot, again when asked again, and nothing lower afterwards")
    func prepare() {
        var acceptor = Acceptor()
        #expect(acceptor.onPrepare(high) == .promised(accepted: nil))
        #expect(acceptor.onPrepare(high) == .promised(accepted: nil))
        #expect(acceptor.onPrepare(low) == .rejected(promised: high, accepted: nil))
        #expect(acceptor.promised == high)
    }

    @Test("tells a later proposer what it has accepted")
    func adoption() {
        var acceptor = Acceptor()
        #expect(acceptor.onAccept(low, value: [1]) == .accepted)
        #expect(acceptor.onPrepare(high) == .promised(accepted: .init(ballot: low, value: [1])))
        #expect(acceptor.accepted == .init(ballot: low, value: [1]))
    }

    @Test("refuses a value under a ballot lower than its promise, and keeps its state")
    func lowerAccept() {
        var acceptor = Acceptor()
        _ = acceptor.onPrepare(high)
        let before = acceptor
        #expect(acceptor.onAccept(low, value: [1]) == .rejected(promised: high, accepted: nil))
        #expect(acceptor == before)
    }

    @Test("never accepts two values under one ballot; the same one again is granted again")
    func oneValuePerBallot() {
        var acceptor = Acceptor()
        #expect(acceptor.onAccept(low, value: [1]) == .accepted)
        #expect(acceptor.onAccept(low, value: [1]) == .accepted)
        #expect(
            acceptor.onAccept(low, value: [2]) == .rejected(promised: low, accepted: .init(ballot: low, value: [1])))
        #expect(acceptor.accepted?.value == [1])
    }

    @Test("an accept under a higher ballot raises the promise with it")
    func acceptRaisesPromise() {
        var acceptor = Acceptor()
        _ = acceptor.onAccept(high, value: [1])
        #expect(acceptor.promised == high)
        #expect(acceptor.onPrepare(low) == .rejected(promised: high, accepted: acceptor.accepted))
        #expect(acceptor.onAccept(Ballot(round: 2, proposer: 0), value: [2]) == .accepted)
        #expect(acceptor.accepted?.value == [2])
    }

    @Test("round 0 fills an empty acceptor and never replaces a value")
    func roundZero() {
        var acceptor = Acceptor()
        #expect(acceptor.onAccept(creator, value: [1]) == .accepted)
        let other = Ballot(round: 0, proposer: 10)
        #expect(acceptor.onAccept(other, value: [2]) == .rejected(promised: creator, accepted: acceptor.accepted))
        #expect(acceptor.accepted == .init(ballot: creator, value: [1]))
        var promised = Acceptor()
        _ = promised.onPrepare(low)
        #expect(promised.onAccept(creator, value: [1]) == .rejected(promised: low, accepted: nil))
    }

    @Test("over all sequences of four messages, the promise never falls and an accepted ballot never exceeds it")
    func exhaustive() {
        let ballots = [creator, Ballot(round: 0, proposer: 10), low, high]
        func explore(_ acceptor: Acceptor, depth: Int) {
            guard depth > 0 else { return }
            for ballot in ballots {
                for value in [nil, [1], [2]] as [[UInt8]?] {
                    var next = acceptor
                    if let value { _ = next.onAccept(ballot, value: value) } else { _ = next.onPrepare(ballot) }
                    if let before = acceptor.promised { #expect(next.promised.map { $0 >= before } == true) }
                    if let accepted = next.accepted { #expect(next.promised.map { $0 >= accepted.ballot } == true) }
                    if let before = acceptor.accepted, next.accepted?.ballot == before.ballot {
                        #expect(next.accepted?.value == before.value)
                    }
                    explore(next, depth: depth - 1)
                }
            }
        }
        explore(Acceptor(), depth: 4)
    }
}
