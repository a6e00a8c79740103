import Testing

@testable import ConsensusSimulator

@Suite("A cluster that grows")
struct PlacementSimulationTests {
    /// A tenth of what `vstack sim --placement` does, so that it takes seconds in a debug build.
    @Test("bytes stay even, zones apart and copysets few", arguments: [3, 10])
    func even(_ zoneCount: Int) {
        var simulation = PlacementSimulation()
        simulation.nodeCount = 50
        simulation.chunkCount = 500_000
        simulation.zoneCount = zoneCount
        let outcome = simulation.run()
        #expect(outcome.isEven, "\(outcome.levelMin) to \(outcome.levelMax)")
        #expect(outcome.crowdedGroups == 0)
        #expect(outcome.copysets <= 2 * 8 * simulation.nodeCount)
        #expect(outcome.chunks == 500_000)
        #expect(simulation.run() == outcome)
    }
}
