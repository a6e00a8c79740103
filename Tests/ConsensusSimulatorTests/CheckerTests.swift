import Base
import ChunkPaxos
import Testing

@testable import ConsensusSimulator

@Suite("The simulator's parts")
struct CheckerTests {
    private let own: [Membership.Member]
    private let initial: Configuration
    private var values = Values()

    init() throws {
        own = try (1...4).map {
            Membership.Member(try #require(NodeID("n\($0)")), AcceptorID(high: 0, low: UInt64($0)))
        }
        let membership = try Membership(Array(own.prefix(3)))
        initial = Configuration(initial: membership)
        for _ in 0..<3 { _ = values.add(membership) }
    }

    private func accepted(_ value: Int, _ round: UInt32) -> Acceptor {
        let ballot = Ballot(round: round, proposer: 1)
        return Acceptor(promised: ballot, accepted: .init(ballot: ballot, value: values.bytes(value)))
    }

    private func choosing(_ value: Int) -> Checker {
        var checker = Checker(initial, checksAcceptors: true)
        for member in own.prefix(2) { _ = checker.onDurable(member, initial, accepted(value, 1), values) }
        return checker
    }

    @Test("a value is chosen when a quorum has it under one ballot, and a second one is a violation")
    func oneValue() {
        var checker = Checker(initial, checksAcceptors: true)
        #expect(checker.onDurable(own[0], initial, accepted(0, 1), values) == nil)
        #expect(checker.onDurable(own[1], initial, accepted(0, 2), values) == nil, "another ballot")
        #expect(checker.onDurable(own[3], initial, accepted(0, 1), values) == nil, "a stranger")
        #expect(checker.onDurable(own[2], initial, accepted(0, 1), values)?.value == values.bytes(0))
        _ = checker.onDurable(own[0], initial, accepted(1, 3), values)
        #expect(checker.violation == nil)
        _ = checker.onDurable(own[1], initial, accepted(1, 3), values)
        #expect(checker.violation?.invariant == .oneValueChosen)
    }

    @Test("an acceptor that accepts two values under one ballot breaks its word")
    func oneBallot() {
        var checker = Checker(initial, checksAcceptors: true)
        _ = checker.onDurable(own[0], initial, accepted(0, 1), values)
        _ = checker.onDurable(own[1], initial, accepted(1, 1), values)
        #expect(checker.violation == nil, "that was the proposer's doing")
        _ = checker.onDurable(own[0], initial, accepted(1, 1), values)
        #expect(checker.violation?.invariant == .acceptorsKeepTheirWord)
    }

    @Test("what is called decided must be chosen")
    func decided() {
        var checker = choosing(0)
        checker.onDecided(values.bytes(0), in: 0, by: "x", tells: false)
        #expect(checker.violation == nil)
        checker.onDecided(values.bytes(1), in: 0, by: "x", tells: false)
        #expect(checker.violation?.invariant == .decidedIsChosen)
        var early = Checker(initial, checksAcceptors: true)
        early.onDecided(values.bytes(0), in: 0, by: "x", tells: false)
        #expect(early.violation?.invariant == .decidedIsChosen)
    }

    @Test("a configuration that rests on what is not chosen, or has other members, is a violation")
    func chain() throws {
        let right = try #require(initial.successor(chosen: values.bytes(0), holders: initial.membership))
        var checker = choosing(0)
        checker.enter(right, values)
        #expect(checker.violation == nil)
        let wrong = try #require(initial.successor(chosen: values.bytes(1), holders: initial.membership))
        let others = try #require(initial.successor(chosen: values.bytes(0), holders: try Membership([own[3]])))
        for configuration in [wrong, others] {
            var checker = choosing(0)
            let isEntered = checker.enter(configuration, values)
            #expect(!isEntered)
            #expect(checker.violation?.invariant == .chainRestsOnChosen)
            var late = choosing(0)
            late.enter(right, values)
            let isEnteredLate = late.enter(configuration, values)
            #expect(!isEnteredLate)
        }
    }

    @Test("what was acknowledged must follow from every quorum of the disks that are left")
    func survival() {
        func check(_ states: [Checker.DiskState]) -> Invariant? {
            var checker = choosing(0)
            checker.onDecided(values.bytes(0), in: 0, by: "x", tells: true)
            checker.checkSurvival { member in own.firstIndex(of: member).map { states[$0] } ?? .lost }
            return checker.violation?.invariant
        }
        func has(_ value: Int, _ round: UInt32) -> Checker.DiskState {
            .intact(
                SimulatedDisk.Record(ChunkAcceptor(own: own[0], configuration: initial, vote: accepted(value, round))))
        }
        #expect(check([has(0, 1), has(0, 1), .intact(nil)]) == nil)
        #expect(check([has(0, 1), has(0, 2), has(1, 0)]) == nil)
        #expect(check([has(0, 1), .lost, .intact(nil)]) == nil)
        #expect(check([has(0, 1), .intact(nil), .intact(nil)]) == .acknowledgedSurvives)
        #expect(check([has(0, 1), has(0, 1), has(1, 2)]) == .acknowledgedSurvives)
        #expect(check([.lost, has(0, 1), has(1, 2)]) == .acknowledgedSurvives)
    }

    @Test("a disk keeps what is synchronized, and gives each other write a fate of its own")
    func disk() {
        func record(_ round: UInt32) -> SimulatedDisk.Record {
            SimulatedDisk.Record(ChunkAcceptor(own: own[0], configuration: initial, vote: accepted(0, round)))
        }
        func round(_ disk: SimulatedDisk) -> UInt32? { disk.durable?.vote.promised?.round }
        var disk = SimulatedDisk()
        disk.write(record(1))
        #expect(disk.durable == nil)
        disk.synchronize()
        #expect(round(disk) == 1)
        for number in 2...4 { disk.write(record(UInt32(number))) }
        var fates: [SimulatedDisk.Fate] = [.torn, .kept, .lost]
        #expect(disk.crash { fates.removeFirst() } == [.torn, .kept, .lost])
        #expect(round(disk) == 3)
        #expect(disk.crash { .lost }.isEmpty)
        disk.rot()
        #expect(round(disk) == 1)
    }

    @Test("events come in the order of time, and of entry where that is the same")
    func queue() {
        var random = SimulationRandom(seed: 1)
        var queue = EventQueue<Int>()
        let times = (0..<500).map { _ in random.below(50) }
        for (index, time) in times.enumerated() { queue.add(index, at: time) }
        var out: [Int] = []
        while let entry = queue.next() { out.append(entry.event) }
        #expect(out == times.indices.sorted { (times[$0], $0) < (times[$1], $1) })
    }

    @Test("chance is the same on every machine and spreads evenly")
    func chance() {
        var random = SimulationRandom(seed: 1)
        let first: [UInt64] = [0x5e41ab087439611e, 0xf18d6ce93d6cf1ee, 0xb95f66d327e8d78]
        #expect((0..<3).map { _ in random.next() } == first)
        var counts = [Int](repeating: 0, count: 10)
        for _ in 0..<10_000 { counts[random.below(10)] += 1 }
        // 1000 each are expected; five standard deviations (30) on either side.
        #expect(counts.allSatisfy { (850...1150).contains($0) })
    }

    @Test("kinds of faults are read as they are written")
    func faults() throws {
        #expect(try Faults("all") == .all)
        #expect(try Faults("none") == [])
        #expect(try Faults("loss,crash") == [.loss, .crash])
        #expect(Faults.named.reduce(into: Faults()) { $0.formUnion($1.faults) } == .all)
        for faults in [.all, [], [.loss, .rot]] as [Faults] { #expect(try Faults(faults.text) == faults) }
        #expect(throws: Failure.self) { try Faults("los") }
    }
}
