import Base
import Synchronization

/// Many simulations, one after the other or on several threads at once, until one finds something.
package struct Campaign: Sendable {
    /// The first run's; each further run has the next.
    package let seed: UInt64
    package let runs: Int
    package let faults: Faults
    package let mutant: Mutant?

    package init(seed: UInt64, runs: Int, faults: Faults = .all, mutant: Mutant? = nil) {
        self.seed = seed
        self.runs = runs
        self.faults = faults
        self.mutant = mutant
    }

    package struct Progress: Sendable, Hashable {
        package fileprivate(set) var runs = 0
        package fileprivate(set) var steps = 0
        package fileprivate(set) var decisions = 0
    }

    package struct Report: Sendable {
        package let progress: Progress
        /// That of the lowest seed, whatever the threads did.
        package let failure: Failure?
    }

    package struct Failure: Sendable {
        package let simulation: Simulation
        package let violation: Violation
    }

    /// - Parameters:
    ///   - jobs: how many run at once.
    ///   - onProgress: called now and then, from any of them.
    package func run(jobs: Int = 1, onProgress: @escaping @Sendable (Progress) -> Void = { _ in }) async -> Report {
        let tally = Tally(runs: runs)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<jobs {
                group.addTask {
                    while !Task.isCancelled, let block = tally.takeBlock() {
                        let (progress, failure) = run(block)
                        onProgress(tally.add(progress, failure))
                        await Task.yield()
                    }
                }
            }
        }
        return Report(
            progress: tally.progress,
            failure: tally.failure.map { Failure(simulation: simulation($0.run), violation: $0.violation) })
    }

    /// Up to the first failure.
    private func run(_ block: Range<Int>) -> (Progress, Tally.Failed?) {
        var progress = Progress()
        for run in block {
            let outcome = simulation(run).run()
            progress.runs += 1
            progress.steps += outcome.steps
            progress.decisions += outcome.decisions
            if let violation = outcome.violation { return (progress, (run, violation)) }
        }
        return (progress, nil)
    }

    private func simulation(_ run: Int) -> Simulation {
        Simulation(seed: seed &+ UInt64(run), faults: faults, mutant: mutant)
    }
}

/// What the threads of a campaign share.
private final class Tally: Sendable {
    typealias Failed = (run: Int, violation: Violation)

    /// Runs that a thread takes at a time.
    private static let blockRuns = 64

    private struct State {
        var nextRun = 0
        var progress = Campaign.Progress()
        var failure: Failed?
    }

    private let runs: Int
    private let state = Locked(State())

    init(runs: Int) { self.runs = runs }

    var progress: Campaign.Progress { state.withLock { $0.progress } }
    var failure: Failed? { state.withLock { $0.failure } }

    /// The next runs; nil when there are none, or none below one that has failed.
    func takeBlock() -> Range<Int>? {
        state.withLock { state in
            guard state.nextRun < min(runs, state.failure?.run ?? runs) else { return nil }
            defer { state.nextRun += Self.blockRuns }
            return state.nextRun..<min(state.nextRun + Self.blockRuns, runs)
        }
    }

    func add(_ progress: Campaign.Progress, _ failure: Failed?) -> Campaign.Progress {
        state.withLock { state in
            state.progress.runs += progress.runs
            state.progress.steps += progress.steps
            state.progress.decisions += progress.decisions
            if let failure, state.failure.map({ failure.run < $0.run }) ?? true { state.failure = failure }
            return state.progress
        }
    }
}
