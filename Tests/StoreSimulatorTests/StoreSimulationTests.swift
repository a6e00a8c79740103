import ChunkStore
import StoreSimulator
import Testing

@Suite("A store upon a disk that crashes at every step")
struct StoreSimulationTests {
    /// `make sim` passes many times as many.
    private static let crashPoints = 3000

    @Test("keeps what it acknowledged, whole, and reports what is damaged")
    func honestStore() {
        let search = StoreSearch(firstSeed: 1, crashPointsMin: Self.crashPoints)
        let failure = search.run()
        #expect(failure == nil, "seed \(failure?.seed ?? 0) \(failure?.report.violation ?? "")")
        #expect(search.total.acknowledged > Self.crashPoints / 10, "the runs must get somewhere")
        #expect(search.total.damages > Self.crashPoints / 50)
        #expect(search.total.compactions > 5 && search.total.checkpointOpenings > Self.crashPoints / 10)
    }

    @Test("a seed repeats a run to the step")
    func replay() {
        for seed in 1...5 as ClosedRange<UInt64> {
            let first = StoreSimulation(seed: seed, isTraced: true).run().trace
            #expect(first == StoreSimulation(seed: seed, isTraced: true).run().trace)
            #expect(first.count > 20)
        }
    }

    @Test("a store that acknowledges before anything is durable is caught")
    func acknowledgesTooEarly() {
        var plan = StorePlan()
        plan.disk = .pretendsSynchronization
        #expect(isCaught(plan))
    }

    @Test("a store that ignores a failed synchronization is caught")
    func ignoresFailedSynchronization() {
        var plan = StorePlan()
        plan.disk = .hidesFailedSynchronization
        #expect(isCaught(plan))
    }

    @Test("a compaction that removes the old file before its copies are durable is caught")
    func removesTooEarly() {
        var plan = StorePlan()
        plan.disk = .pretendsSynchronizationOfCopies
        #expect(isCaught(plan))
    }

    #if DEBUG
        @Test("a store that is broken is caught", arguments: Defect.allCases)
        func defect(_ defect: Defect) {
            var plan = StorePlan()
            plan.options.defect = defect
            // An old checkpoint comes back only among these.
            plan.damages = 30
            #expect(isCaught(plan))
        }
    #endif

    /// The search ends at the first run that fails, so that looking far costs nothing.
    private func isCaught(_ plan: StorePlan) -> Bool {
        StoreSearch(firstSeed: 1, crashPointsMin: 20 * Self.crashPoints, plan: plan).run() != nil
    }
}
