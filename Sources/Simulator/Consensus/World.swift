import Base
import ChunkPaxos

/// Nodes, clients, the network between them and time, all from one seed; every step is checked.
struct World {
    enum Event {
        case start(client: Int)
        case request(node: Int, SimulatedNode.Request, sentAt: Int)
        case reply(client: Int, Reply, sentAt: Int)
        case synchronized(node: Int, incarnation: Int)
        case timer(client: Int, number: Int)
        case fault(Plan.Fault)
        case restartNode(Int, incarnation: Int)
        case restartClient(Int, incarnation: Int)
        case healed
        case faultsEnded
    }

    /// A node's answer on its way back.
    struct Reply {
        let incarnation: Int
        let survey: Int
        let voter: Membership.Member
        let question: ChunkAcceptor.Question
        let ballot: Ballot?
        let version: UInt32
        let reply: ChunkAcceptor.Reply
    }

    /// Far more than any run that ends takes.
    private static let stepsMax = 50_000

    let plan: Plan
    let joints: Joints
    var random: SimulationRandom
    var now = 0
    var queue = EventQueue<Event>()
    var nodes: [SimulatedNode]
    var clients: [SimulatedClient]
    var values = Values()
    var checker: Checker
    /// Identities whose memory is gone.
    var lost: [AcceptorID] = []
    var partition: (nodes: UInt64, clients: UInt64, isOneWay: Bool)?
    /// What the catalog says is the newest configuration: late, maybe, but never wrong.
    var catalog: Configuration
    var recorder: Recorder?
    private(set) var steps = 0
    private var proposerCount: UInt64 = 0

    /// - Throws: ``Failure`` when the plan has no members.
    init(
        _ plan: Plan, random: SimulationRandom, joints: Joints = Joints(mutant: nil), checksAcceptors: Bool = true,
        recorder: Recorder? = nil
    ) throws(Failure) {
        self.plan = plan
        self.joints = joints
        self.random = random
        self.recorder = recorder
        nodes = (0..<plan.nodeCount).map { index in
            SimulatedNode(number: index + 1, identity: AcceptorID(high: 0, low: UInt64(index + 1)))
        }
        catalog = Configuration(initial: try Membership(nodes.prefix(plan.memberCount).map(\.own)))
        checker = Checker(catalog, checksAcceptors: checksAcceptors)
        clients = []
        for (number, client) in plan.clients.enumerated() { add(client, number) }
        for node in plan.absentNodes { nodes[node].isUp = false }
        for fault in plan.faults { queue.add(.fault(fault.fault), at: fault.atMicroseconds) }
        if plan.faultsEndMicroseconds > 0 { queue.add(.faultsEnded, at: plan.faultsEndMicroseconds) }
    }

    /// Whether faults may still happen.
    var isFaulty: Bool { now < plan.faultsEndMicroseconds }

    /// Until nothing is left to happen, or something happened that must not.
    mutating func run() {
        while checker.violation == nil, let entry = queue.next() {
            now = entry.time
            steps += 1
            guard steps <= Self.stepsMax else { return checker.fail(.everybodyEnds, "there is no end to it") }
            handle(entry.event)
        }
        if checker.violation == nil { checkEnd() }
        if let violation = checker.violation {
            note(.violated, text: "\(violation.invariant.rawValue): \(violation.detail)")
        }
    }

    mutating func newProposerNumber() -> UInt64 {
        proposerCount += 1
        // Not in the order of their start, so that a later one is not always the higher.
        return UInt64(random.below(16)) << 8 | proposerCount
    }

    mutating func add(_ plan: Plan.ClientPlan, _ number: Int) {
        let sameRole = clients.count { $0.role == plan.role }
        let name = plan.role == .creator ? "creator" : "\(plan.role.rawValue)\(sameRole + 1)"
        clients.append(SimulatedClient(name: name, role: plan.role, configuration: catalog))
        queue.add(.start(client: number), at: plan.startMicroseconds)
    }

    private mutating func handle(_ event: Event) {
        switch event {
        case .start(let client): start(client)
        case .request(let node, let request, let sentAt): receive(request, at: node, sentAt: sentAt)
        case .reply(let client, let reply, let sentAt): receive(reply, at: client, sentAt: sentAt)
        case .synchronized(let node, let incarnation): synchronized(node, incarnation)
        case .timer(let client, let number): timerFired(client, number)
        case .fault(let fault): happen(fault)
        case .restartNode(let node, let incarnation): restartNode(node, incarnation)
        case .restartClient(let client, let incarnation): restartClient(client, incarnation)
        case .healed: heal()
        case .faultsEnded: endFaults()
        }
    }

    /// Everybody has ended, and whoever reads now is told what was chosen.
    private mutating func checkEnd() {
        for client in clients where !client.hasEnded {
            return checker.fail(.everybodyEnds, "\(client.name) is still \(client.phase)")
        }
        guard plan.faultsEndMicroseconds > 0, let reader = clients.last, let newest = checker.newestChosen,
            reader.decided != newest.accepted.value
        else { return }
        let knows = reader.decided.map(Values.name) ?? "nothing"
        checker.fail(
            .everybodyEnds,
            "\(reader.name) knows of \(knows), but \(Values.name(newest.accepted.value)) is chosen @\(newest.version)")
    }
}
