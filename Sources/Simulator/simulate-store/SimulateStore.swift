import Foundation
import StoreSimulator

/// `simulate-store [--seed N] [--crash-points N] [--trace]`: lets chunk stores crash at every step of simulated disks
/// until so many crash points have been passed. The exit code is 1 when a store broke its word; the run that found it
/// is then shown, with the command that repeats it.
@main
struct SimulateStore {
    static func main() {
        guard let arguments = Arguments(CommandLine.arguments.dropFirst()) else {
            say(Arguments.usage)
            exit(2)
        }
        exit(arguments.isTraced ? replay(arguments.seed) : search(arguments))
    }

    /// One run, told in full.
    private static func replay(_ seed: UInt64) -> Int32 {
        let report = StoreSimulation(seed: seed, isTraced: true).run()
        for line in report.trace { say(line) }
        guard let violation = report.violation else {
            say("seed \(seed): all is well after \(report.crashPoints) crash points")
            return 0
        }
        say("seed \(seed) \(violation)")
        return 1
    }

    private static func search(_ arguments: Arguments) -> Int32 {
        let search = StoreSearch(firstSeed: arguments.seed, crashPointsMin: arguments.crashPoints)
        let clock = ContinuousClock()
        let start = clock.now
        let failure = search.run { say(progress($0, clock.now - start)) }
        say(progress(search.total, clock.now - start))
        guard let failure else { return 0 }
        let lines = failure.report.trace
        if lines.count > traceLinesMax { say("… \(lines.count - traceLinesMax) lines") }
        for line in lines.suffix(traceLinesMax) { say(line) }
        say("FAILED: seed \(failure.seed) \(failure.report.violation ?? "")")
        say("again, with all its steps: make sim-store ARGS=\"--seed \(failure.seed) --trace\"")
        return 1
    }

    /// Lines of a failing run that are shown at once.
    private static let traceLinesMax = 60

    private static func progress(_ total: StoreSearch.Total, _ time: Duration) -> String {
        let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
        let rate = Int(Double(total.crashPoints) / max(seconds, 0.001))
        return "\(total.crashPoints) crash points (\(rate)/s), \(total.damages) damaged disks, "
            + "\(total.acknowledged) acknowledged changes, \(total.compactions) compactions, "
            + "\(total.checkpointOpenings) openings from a checkpoint, \(total.runs) runs"
    }
}

private struct Arguments {
    static let usage = "usage: simulate-store [--seed N] [--crash-points N] [--trace]"

    var seed: UInt64 = 1
    var crashPoints = 100_000
    var isTraced = false

    init?(_ arguments: ArraySlice<String>) {
        var rest = arguments
        while let name = rest.popFirst() {
            switch name {
            case "--trace": isTraced = true
            case "--seed":
                guard let number = rest.popFirst().flatMap({ UInt64($0) }) else { return nil }
                seed = number
            case "--crash-points":
                guard let number = rest.popFirst().flatMap({ Int($0) }), number > 0 else { return nil }
                crashPoints = number
            default: return nil
            }
        }
    }
}

/// Prints at once, also into a pipe.
private func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }
