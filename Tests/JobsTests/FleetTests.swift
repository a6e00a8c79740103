import Base
import Testing

@testable import Jobs

@Suite("A simulated fleet")
struct FleetTests {
    @Test("no unit has two results, no fenced result counts, and all is done once faults end", arguments: 0..<8)
    func findsNothing(_ block: UInt64) {
        for seed in block * 50..<block * 50 + 50 {
            var fleet = Fleet(seed: seed)
            fleet.run()
            #expect(fleet.violation == nil, "seed \(seed)")
        }
    }

    @Test("stragglers are run beside, late results are fenced off, and lies refused")
    func variety() {
        var (stragglers, fenced, refused) = (0, 0, 0)
        for seed in 0..<50 as Range<UInt64> {
            var fleet = Fleet(seed: seed)
            fleet.run()
            stragglers += fleet.stragglersRun
            fenced += fleet.fencedCount
            refused += fleet.refusedCount
        }
        #expect(stragglers > 0)
        #expect(fenced > 0)
        #expect(refused > 0)
    }

    @Test("every mutant is caught", arguments: Mutant.allCases.filter { $0 != .none })
    func mutants(_ mutant: Mutant) {
        let caught = (0..<500 as Range<UInt64>).first { seed in
            var fleet = Fleet(seed: seed, mutant: mutant)
            fleet.run()
            return fleet.violation != nil
        }
        #expect(caught != nil)
    }
}
