/// What a simulation is to consist of. Drawn from the seed, or written by hand for a scenario.
struct Plan {
    enum Role: String {
        case creator, proposer, mover, reader
    }

    struct ClientPlan {
        let role: Role
        let startMicroseconds: Int
    }

    /// Something done to the world at a given time.
    enum Fault {
        case crashNode(Int, downMicroseconds: Int)
        case wipeNode(Int)
        case rotNode(Int)
        case crashClient(Int, downMicroseconds: Int)
        /// Those in the masks are cut off from the others; in one direction only messages from them are lost.
        case partition(nodes: UInt64, clients: UInt64, isOneWay: Bool, microseconds: Int)
        case clockJump(client: Int, microseconds: Int)
    }

    enum Latency {
        case within(ClosedRange<Int>)
        /// A constant, and a little more for each number of node and client, so that nothing meets by chance.
        case fixed(Int, perNode: Int, perClient: Int)
    }

    var nodeCount: Int
    /// The first of the nodes.
    var memberCount: Int
    var clients: [ClientPlan]
    /// Nodes that are away from the start and never come back.
    var absentNodes: [Int] = []
    var faults: [(atMicroseconds: Int, fault: Fault)] = []
    /// From here on all is well.
    var faultsEndMicroseconds = 0
    var lossPermille = 0
    var duplicationPermille = 0
    var delayPermille = 0
    /// Whether unsynchronized writes of a node that dies may be lost.
    var losesUnsynchronized = false
    var latency = Latency.within(200...3_000)
    var synchronization = Latency.within(50...3_000)
}

extension Plan {
    /// A plan of its own for every seed. Of the kinds of faults that are allowed a run has some, so that each is also
    /// seen without the others.
    init(_ allowed: Faults, _ random: inout SimulationRandom) {
        let members = random.pick([3, 3, 3, 3, 5, 5, 4, 2, 1])
        let faults = Self.some(of: allowed, &random)
        let end = random.within(60_000...300_000)
        self.init(nodeCount: members + random.pick([0, 1, 2]), memberCount: members, clients: [])
        faultsEndMicroseconds = end
        clients = Self.clients(until: end, &random)
        lossPermille = faults.contains(.loss) ? random.pick([20, 100, 300]) : 0
        duplicationPermille = faults.contains(.duplication) ? random.pick([50, 300]) : 0
        delayPermille = faults.contains(.delay) ? random.pick([50, 200]) : 0
        losesUnsynchronized = faults.contains(.disk)
        self.faults = mishaps(faults, &random).sorted { $0.atMicroseconds < $1.atMicroseconds }
    }

    private static func some(of allowed: Faults, _ random: inout SimulationRandom) -> Faults {
        var faults = allowed
        for (_, fault) in Faults.named where random.chance(permille: 350) { faults.remove(fault) }
        return faults
    }

    private static func clients(until end: Int, _ random: inout SimulationRandom) -> [ClientPlan] {
        var clients: [ClientPlan] = []
        func add(_ role: Role, _ count: Int, within times: ClosedRange<Int>) {
            for _ in 0..<count { clients.append(ClientPlan(role: role, startMicroseconds: random.within(times))) }
        }
        add(.creator, random.pick([1, 1, 1, 0]), within: 0...10_000)
        // Rivals mostly come while the first is at it.
        add(.proposer, random.pick([1, 1, 2, 3]), within: 0...random.pick([5_000, 20_000, end]))
        add(.mover, random.pick([0, 0, 1, 2]), within: 5_000...end)
        add(.reader, random.pick([1, 2]), within: 0...end)
        return clients
    }

    private func mishaps(
        _ faults: Faults, _ random: inout SimulationRandom
    ) -> [(atMicroseconds: Int, fault: Fault)] {
        var all: [(atMicroseconds: Int, fault: Fault)] = []
        let end = faultsEndMicroseconds
        // The interesting part is where the proposals are.
        func time() -> Int { random.within(0...(random.chance(permille: 600) ? end / 4 : end)) }
        func add(_ count: Int, _ fault: () -> Fault) { for _ in 0..<count { all.append((time(), fault())) } }
        func node() -> Int { random.below(nodeCount) }
        func span() -> Int { random.within(100...random.pick([5_000, 50_000])) }
        if faults.contains(.crash) {
            add(random.within(1...8)) { .crashNode(node(), downMicroseconds: span()) }
            add(random.within(0...3)) { .crashClient(random.below(clients.count), downMicroseconds: span()) }
        }
        if faults.contains(.wipe) { add(random.within(1...3)) { .wipeNode(node()) } }
        if faults.contains(.rot) { add(random.within(0...2)) { .rotNode(node()) } }
        if faults.contains(.partition) {
            add(random.within(1...4)) {
                .partition(
                    nodes: random.next() & (1 << UInt64(nodeCount) - 1),
                    clients: random.next() & (1 << UInt64(clients.count) - 1),
                    isOneWay: random.chance(permille: 300), microseconds: span())
            }
        }
        if faults.contains(.clock) {
            add(random.within(1...4)) {
                .clockJump(client: random.below(clients.count), microseconds: random.within(-50_000...200_000))
            }
        }
        return all
    }
}
