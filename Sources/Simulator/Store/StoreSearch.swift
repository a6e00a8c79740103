import Base
import Dispatch
import Synchronization

/// Runs of the simulation, one seed after the other, until they have passed so many crash points or one fails.
package final class StoreSearch: Sendable {
    package struct Total: Sendable {
        package var runs = 0
        package var crashPoints = 0
        package var damages = 0
        package var acknowledged = 0
        package var compactions = 0
        package var checkpointOpenings = 0
    }

    package struct Failure: Sendable {
        package let seed: UInt64
        /// Of the run as it was repeated, with its trace.
        package let report: StoreSimulation.Report
    }

    private struct State {
        var nextSeed: UInt64
        var total = Total()
        /// The failing seed that is lowest, so that the same one is shown whatever the number of threads.
        var failedSeed: UInt64?
    }

    private let plan: StorePlan
    private let crashPointsMin: Int
    private let state: Locked<State>

    package init(firstSeed: UInt64, crashPointsMin: Int, plan: StorePlan = StorePlan()) {
        self.plan = plan
        self.crashPointsMin = crashPointsMin
        state = Locked(State(nextSeed: firstSeed))
    }

    package var total: Total { state.withLock { $0.total } }

    /// Blocks until it is done.
    /// - Parameters:
    ///   - threads: runs at a time.
    ///   - progress: is called at every tenth of the way.
    /// - Returns: the run that failed, if one did.
    package func run(
        threads: Int = 2, progress: @escaping @Sendable (Total) -> Void = { _ in }
    ) -> Failure? {
        DispatchQueue.concurrentPerform(iterations: threads) { _ in
            while let seed = takeSeed() {
                let report = StoreSimulation(seed: seed, plan: plan).run()
                if let total = add(report, seed) { progress(total) }
            }
        }
        guard let seed = state.withLock({ $0.failedSeed }) else { return nil }
        return Failure(seed: seed, report: StoreSimulation(seed: seed, plan: plan, isTraced: true).run())
    }

    private func takeSeed() -> UInt64? {
        state.withLock { state in
            guard state.failedSeed == nil, state.total.crashPoints < crashPointsMin else { return nil }
            defer { state.nextSeed += 1 }
            return state.nextSeed
        }
    }

    /// - Returns: the total, when it is time to tell.
    private func add(_ report: StoreSimulation.Report, _ seed: UInt64) -> Total? {
        state.withLock { state in
            let tenth = max(1, crashPointsMin / 10)
            let tenthsBefore = state.total.crashPoints / tenth
            state.total.runs += 1
            state.total.crashPoints += report.crashPoints
            state.total.damages += report.damages
            state.total.acknowledged += report.acknowledged
            state.total.compactions += report.compactions
            state.total.checkpointOpenings += report.checkpointOpenings
            if report.violation != nil { state.failedSeed = min(state.failedSeed ?? seed, seed) }
            return state.total.crashPoints / tenth > tenthsBefore ? state.total : nil
        }
    }
}
