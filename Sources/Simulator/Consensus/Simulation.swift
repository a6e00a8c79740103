import Base
import ChunkPaxos

/// One simulated life of a chunk: a seed, and what may go wrong. The same simulation is the same run, always.
package struct Simulation: Hashable, Sendable {
    package let seed: UInt64
    package let faults: Faults
    package let mutant: Mutant?
    /// Whether what single acceptors do is checked too, or only what comes of it.
    package let checksAcceptors: Bool

    /// - Parameter checksAcceptors: by default not for a mutant, whose harm is to show in what comes of it.
    package init(seed: UInt64, faults: Faults = .all, mutant: Mutant? = nil, checksAcceptors: Bool? = nil) {
        self.seed = seed
        self.faults = faults
        self.mutant = mutant
        self.checksAcceptors = checksAcceptors ?? (mutant == nil)
    }

    package struct Outcome: Hashable, Sendable {
        /// nil when all was as it must be.
        package let violation: Violation?
        package let steps: Int
        /// Versions in which a value was chosen.
        package let decisions: Int
        /// Empty unless it was asked for.
        package let trace: [TraceEvent]
    }

    package func run(traces: Bool = false) -> Outcome {
        var random = SimulationRandom(seed: seed)
        let plan = Plan(faults, &random)
        do {
            var world = try World(
                plan, random: random, joints: Joints(mutant: mutant), checksAcceptors: checksAcceptors,
                recorder: traces ? Recorder(keepsStates: false) : nil)
            world.run()
            return Outcome(
                violation: world.checker.violation, steps: world.steps,
                decisions: world.checker.instances.count { $0.chosen != nil }, trace: world.recorder?.events ?? [])
        } catch {
            preconditionFailure("a plan has members: \(error.message)")
        }
    }
}
