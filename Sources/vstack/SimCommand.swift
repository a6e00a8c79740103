import Base
import ConsensusSimulator
import Foundation

extension Command {
    static let sim = Command(
        name: "sim", summary: "Try to refute the consensus protocol: simulated faults, from a seed.",
        options: [
            CommandOption("seed", "N", "The first run's seed; each further run has the next (default: any)."),
            CommandOption("runs", "N", "How many runs (default 10000; 1 with --trace)."),
            CommandOption("jobs", "N", "How many run at once (default 1)."),
            CommandOption("faults", "LIST", "all, none, or kinds parted by commas (default all)."),
            CommandOption("mutant", "NAME", "Break the protocol on purpose; this must be found."),
            CommandOption("scenario", "NAME", "Tell one story step by step instead."),
            CommandOption("placement", nil, "Fill a growing cluster of 1000 nodes with 10 million chunks instead."),
            CommandOption("trace", nil, "Print what happens in each run."),
            CommandOption("json", nil, "Print the result as one JSON object."),
        ],
        discussion: """
            Every run is a life of one chunk: proposers, acceptors on simulated disks, a network and clocks, all from
            one seed; every invariant of docs/consensus.md is checked after every step. The exit code is 1 when one does
            not hold; the trace is printed, and the command that shows it again.

            Faults:    \(Faults.named.map(\.name).joined(separator: ", "))
            Mutants:   \(list(Mutant.allCases.map { ($0.rawValue, $0.summary) }))
            Scenarios: \(list(Scenario.all.map { ($0.name, $0.title) }))
            """
    ) { invocation in
        if let name = invocation.flag("scenario") { return try SimulationOutput.tell(name, invocation) }
        if invocation.isSet("placement") { return try SimulationOutput.fillCluster(invocation) }
        let campaign = try Campaign(invocation)
        let output = SimulationOutput(campaign, invocation)
        if invocation.isSet("trace"), !invocation.isSet("json") { return output.traceRuns() }
        return try await output.run(jobs: try invocation.integer("jobs", default: 1, in: 1...256))
    }

    private static func list(_ entries: [(String, String)]) -> String {
        let width = (entries.map(\.0.count).max() ?? 0) + 2
        return entries.map { $0 + String(repeating: " ", count: width - $0.count) + $1 }
            .joined(separator: "\n           ")
    }
}

extension Campaign {
    fileprivate init(_ invocation: Invocation) throws(UsageError) {
        let faults: Faults
        do {
            faults = try Faults(invocation.flag("faults") ?? "all")
        } catch {
            throw UsageError(error.message)
        }
        var mutant: Mutant?
        if let name = invocation.flag("mutant") {
            mutant = Mutant(rawValue: name)
            let names = Mutant.allCases.map(\.rawValue)
            guard mutant != nil else {
                throw UsageError("there is no mutant '\(name)'\(Suggestion.text(for: name, among: names))")
            }
        }
        self.init(
            seed: UInt64(
                try invocation.integer("seed", default: .random(in: 1...1_000_000_000), in: 0...1_000_000_000_000)),
            runs: try invocation.integer(
                "runs", default: invocation.isSet("trace") ? 1 : 10_000, in: 1...1_000_000_000),
            faults: faults, mutant: mutant)
    }
}

/// What `vstack sim` prints.
private struct SimulationOutput {
    private let campaign: Campaign
    private let isJSON: Bool
    private let start = ContinuousClock.now

    init(_ campaign: Campaign, _ invocation: Invocation) {
        self.campaign = campaign
        isJSON = invocation.isSet("json")
    }

    /// Until one run finds something.
    func run(jobs: Int) async throws -> Int32 {
        let bar = Progress()
        let report = await campaign.run(jobs: jobs) { [self] progress in
            let fraction = Double(progress.runs) / Double(campaign.runs)
            bar.show("simulating", fraction, "\(progress.runs) runs, \(rate(progress)) runs/s")
        }
        bar.finish()
        if isJSON {
            try printJSON(report)
        } else if let failure = report.failure {
            show(failure)
        } else {
            let progress = report.progress
            Output.line(
                "\(progress.runs) runs from seed \(campaign.seed) found nothing: faults \(campaign.faults.text), "
                    + "\(progress.steps) steps, \(progress.decisions) decisions, \(rate(progress)) runs/s")
        }
        return report.failure == nil ? 0 : 1
    }

    /// Each run, with all that happens.
    func traceRuns() -> Int32 {
        for run in 0..<campaign.runs {
            let simulation = Simulation(
                seed: campaign.seed &+ UInt64(run), faults: campaign.faults, mutant: campaign.mutant)
            let outcome = simulation.run(traces: true)
            Output.line("seed \(simulation.seed)")
            for event in outcome.trace { Output.line(event.line) }
            guard outcome.violation == nil else { return 1 }
        }
        return 0
    }

    private func show(_ failure: Campaign.Failure) {
        let simulation = failure.simulation
        Output.line("seed \(simulation.seed)")
        for event in simulation.run(traces: true).trace { Output.line(event.line) }
        Output.line("\nfound: \(failure.violation.invariant.rawValue): \(failure.violation.detail)")
        Output.line("again: \(Self.command(simulation))")
    }

    private static func command(_ simulation: Simulation) -> String {
        let mutant = simulation.mutant.map { " --mutant \($0.rawValue)" } ?? ""
        return "vstack sim --seed \(simulation.seed) --runs 1 --faults \(simulation.faults.text)\(mutant) --trace"
    }

    private func rate(_ progress: Campaign.Progress) -> Int {
        Int(Double(progress.runs) / max(1e-6, (ContinuousClock.now - start) / .seconds(1)))
    }

    private func printJSON(_ report: Campaign.Report) throws {
        let failure = report.failure.map { failure in
            FailureMessage(
                seed: failure.simulation.seed, invariant: failure.violation.invariant,
                detail: failure.violation.detail, command: Self.command(failure.simulation),
                trace: failure.simulation.run(traces: true).trace)
        }
        let message = ReportMessage(
            seed: campaign.seed, runs: report.progress.runs, steps: report.progress.steps,
            decisions: report.progress.decisions, runsPerSecond: rate(report.progress), faults: campaign.faults.text,
            mutant: campaign.mutant?.rawValue, failure: failure)
        Output.line(String(decoding: try JSON.encode(message), as: UTF8.self))
    }

    private struct ReportMessage: Encodable {
        let seed: UInt64
        let runs: Int
        let steps: Int
        let decisions: Int
        let runsPerSecond: Int
        let faults: String
        let mutant: String?
        let failure: FailureMessage?
    }

    private struct FailureMessage: Encodable {
        let seed: UInt64
        let invariant: Invariant
        let detail: String
        let command: String
        let trace: [TraceEvent]
    }

    /// Whether bytes stay even as nodes join.
    static func fillCluster(_ invocation: Invocation) throws -> Int32 {
        let simulation = PlacementSimulation()
        let outcome = simulation.run()
        if invocation.isSet("json") {
            Output.line(String(decoding: try JSON.encode(outcome), as: UTF8.self))
        } else {
            let percent = { (level: Double) in "\((level * 1000).rounded() / 10) %" }
            Output.line(
                "\(simulation.nodeCount) nodes in \(simulation.zoneCount) zones hold \(outcome.chunks) chunks of "
                    + "\(outcome.videos) videos: each \(percent(outcome.levelMin)) to \(percent(outcome.levelMax)) of "
                    + "its part, \(outcome.copysets) copysets, \(outcome.crowdedGroups) of them crowded in a zone")
        }
        return outcome.isEven && outcome.crowdedGroups == 0 ? 0 : 1
    }

    /// A scenario, in lines or as JSON.
    static func tell(_ name: String, _ invocation: Invocation) throws -> Int32 {
        guard let scenario = Scenario.named(name) else {
            let names = Scenario.all.map(\.name)
            throw UsageError("there is no scenario '\(name)'\(Suggestion.text(for: name, among: names))")
        }
        let result = try scenario.run()
        if invocation.isSet("json") {
            Output.line(String(decoding: try JSON.encode(result), as: UTF8.self))
        } else {
            Output.line("\(result.title). \(result.summary)")
            for step in result.steps { Output.line(step.event.line) }
        }
        return 0
    }
}
