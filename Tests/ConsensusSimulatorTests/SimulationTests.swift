import Base
import Testing

@testable import ConsensusSimulator

@Suite("Simulated consensus")
struct SimulationTests {
    @Test("no fault that is allowed refutes it", arguments: [1, 1_000, 1_000_000] as [UInt64])
    func findsNothing(_ first: UInt64) {
        for seed in first..<first + 100 {
            #expect(Simulation(seed: seed).run().violation == nil, "seed \(seed)")
        }
    }

    @Test("each kind of fault alone refutes nothing", arguments: Faults.named.map(\.name) + ["none"])
    func oneKind(_ name: String) throws {
        let faults = try Faults(name)
        for seed in 1...20 as ClosedRange<UInt64> {
            let outcome = Simulation(seed: seed, faults: faults).run()
            #expect(outcome.violation == nil, "seed \(seed)")
            #expect(outcome.decisions > 0, "seed \(seed)")
        }
    }

    @Test("every kind of fault happens, and both a creator's and a proposer's value, and moves, and refusals")
    func variety() {
        let traces = (1...60).flatMap { Simulation(seed: UInt64($0)).run(traces: true).trace }
        let kinds = Set(traces.map(\.kind))
        let rare: [TraceEvent.Kind] = [.crashed, .restarted, .wiped, .rotted, .partitioned, .healed, .clock, .lost]
        #expect(kinds.isSuperset(of: rare))
        let types = Set(traces.compactMap(\.message?.type))
        #expect(
            types == [
                "prepare", "accept", "read", "install", "promised", "accepted", "rejected", "state", "installed",
                "superseded", "foreign",
            ])
        for part in ["torn", "lost on the way", "cut off", "(down)", "creates", "has moved the chunk to"] {
            #expect(traces.contains { $0.text.contains(part) }, "\(part)")
        }
    }

    @Test("the same seed is the same run, to the last byte of its trace; another is another")
    func sameSeed() throws {
        func text(_ seed: UInt64) throws -> [UInt8] {
            let trace = Simulation(seed: seed).run(traces: true).trace
            return Array(trace.map(\.line).joined(separator: "\n").utf8) + (try JSON.encode(trace))
        }
        for seed in 1...10 as ClosedRange<UInt64> {
            #expect(try text(seed) == text(seed))
            #expect(try text(seed) != text(seed + 1))
        }
        #expect(Simulation(seed: 1).run().steps == Simulation(seed: 1).run(traces: true).steps)
    }

    @Test("every mutant is caught within a thousand seeds by what comes of it", arguments: Mutant.allCases)
    func mutants(_ mutant: Mutant) {
        let caught = (1...1000).first { seed in
            Simulation(seed: UInt64(seed), mutant: mutant).run().violation != nil
        }
        #expect(caught != nil)
    }

    @Test("a promise that was forgotten is seen before anything comes of it")
    func keepTheirWord() {
        let found = (1...20).compactMap {
            Simulation(seed: $0, mutant: .forgetsPromise, checksAcceptors: true).run().violation?.invariant
        }
        #expect(found.contains(.acceptorsKeepTheirWord))
    }

    @Test("a mutant's violation ends its trace, and is the same when it is run again")
    func violation() throws {
        let simulation = Simulation(seed: 1, mutant: .ignoresAccepted)
        let violation = try #require(simulation.run().violation)
        let last = try #require(simulation.run(traces: true).trace.last)
        #expect(last.kind == .violated)
        #expect(last.text == "\(violation.invariant.rawValue): \(violation.detail)")
    }

    @Test("a campaign reports the lowest seed that fails, whatever its threads do")
    func campaign() async throws {
        let expected = try #require(
            (1...2000).first { Simulation(seed: UInt64($0), mutant: .movesUndecided).run().violation != nil })
        for jobs in [1, 3] {
            let report = await Campaign(seed: 1, runs: 2000, mutant: .movesUndecided).run(jobs: jobs)
            #expect(report.failure?.simulation.seed == UInt64(expected))
        }
        let quiet = await Campaign(seed: 1, runs: 65, faults: []).run(jobs: 2)
        #expect(quiet.failure == nil)
        #expect(quiet.progress.runs == 65)
    }
}
