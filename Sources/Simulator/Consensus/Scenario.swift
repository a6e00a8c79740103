import Base
import ChunkPaxos

/// A short story about one chunk, told by the simulator: the same every time, step by step.
package struct Scenario: Sendable {
    package let name: String
    package let title: String
    package let summary: String
    private let plan: Plan
    private let seed: UInt64

    /// What came of it: who took part, and every event with the states that it left behind.
    package struct Result: Codable, Hashable, Sendable {
        package let name: String
        package let title: String
        package let summary: String
        package let nodes: [String]
        package let clients: [String]
        package let steps: [TraceStep]
        /// Messages that were sent, whether they arrived or not.
        package let messageCount: Int
        /// The value of version 0; nil when none was chosen.
        package let chosen: String?
    }

    package static let all: [Scenario] = [.normal, .rivals, .nodeDown, .nodeRecovers, .move]

    package static func named(_ name: String) -> Scenario? { all.first { $0.name == name } }

    package func run() throws(Failure) -> Result {
        var world = try World(
            plan, random: SimulationRandom(seed: seed), recorder: Recorder(keepsStates: true))
        world.run()
        let steps = world.recorder?.steps ?? []
        let nodes = world.nodes.map(\.id.description)
        return Result(
            name: name, title: title, summary: summary, nodes: nodes, clients: world.clients.map(\.name), steps: steps,
            messageCount: steps.count { $0.event.message != nil }, chosen: steps.last?.chosen.first)
    }
}

extension Scenario {
    package static let normal = Scenario(
        name: "normal", title: "A commit",
        summary: "The creator stores a chunk on three nodes. Ballot 0 is its own, so one question to each and their "
            + "answers are all: six messages, one round trip.",
        plan: calm(clients: [(.creator, 0)]), seed: 1)

    package static let rivals = Scenario(
        name: "rivals", title: "Two rivals",
        summary: "Two proposers want different values for one chunk. Both use both phases; who comes second finds what "
            + "the first left behind, and finishes that.",
        plan: calm(clients: [(.proposer, 0), (.proposer, 2_000)]), seed: 2)

    package static let nodeDown = Scenario(
        name: "node-down", title: "A node is down",
        summary: "One of three nodes is away. The other two are a quorum, and the commit takes no longer.",
        plan: {
            var plan = calm(clients: [(.creator, 0), (.reader, 20_000)])
            plan.absentNodes = [2]
            return plan
        }(), seed: 1)

    package static let nodeRecovers = Scenario(
        name: "node-recovers", title: "A node dies and comes back",
        summary: "A node dies between promise and acceptance. When it is back it knows what it promised, since nothing "
            + "was said before it was durable.",
        plan: {
            var plan = calm(clients: [(.proposer, 0), (.proposer, 3_000)])
            plan.faults = [(4_300, .crashNode(0, downMicroseconds: 30_000))]
            plan.losesUnsynchronized = true
            return plan
        }(), seed: 1)

    package static let move = Scenario(
        name: "move", title: "A chunk moves",
        summary: "The holders that version 0 names decide version 1, which names others. These then know of each "
            + "other, and who is told of version 0 only is shown the way.",
        plan: calm(nodes: 5, clients: [(.creator, 0), (.mover, 20_000), (.reader, 60_000)]), seed: 1)

    /// Nothing goes wrong by chance, and every message takes its own time, always the same.
    private static func calm(nodes: Int = 3, clients: [(role: Plan.Role, start: Int)]) -> Plan {
        Plan(
            nodeCount: nodes, memberCount: 3,
            clients: clients.map { Plan.ClientPlan(role: $0.role, startMicroseconds: $0.start) },
            latency: .fixed(1_000, perNode: 300, perClient: 70),
            synchronization: .fixed(400, perNode: 90, perClient: 0))
    }
}
