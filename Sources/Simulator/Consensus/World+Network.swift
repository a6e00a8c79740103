import Base
import ChunkPaxos

// The network: what becomes of a message.
extension World {
    /// How long a copy of a message is on its way; none at all when it is lost.
    private struct Transmission {
        var first: Int?
        var second: Int?
        var lostBecause = ""
    }

    mutating func send(_ question: ChunkAcceptor.Question, _ ballot: Ballot?, from client: Int, to id: NodeID) {
        guard let node = nodes.firstIndex(where: { $0.id == id }) else { return }
        let request = SimulatedNode.Request(
            client: client, incarnation: clients[client].incarnation, survey: clients[client].survey,
            ballot: ballot,
            request: ChunkAcceptor.Request(clients[client].configuration, question))
        let transmission = transmit(client: client, node: node, toNode: true)
        for delay in [transmission.first, transmission.second] {
            if let delay { queue.add(.request(node: node, request, sentAt: now), at: now + delay) }
        }
        if transmission.first == nil, recorder != nil {
            noteMessage(
                .lost, from: clients[client].name, to: "\(id)", sentAt: now, words(for: request),
                "(\(transmission.lostBecause))")
        }
    }

    mutating func answer(_ request: SimulatedNode.Request, _ reply: ChunkAcceptor.Reply, from node: Int) {
        noteTold(node, request.request.configuration.version, reply)
        let answer = Reply(
            incarnation: request.incarnation, survey: request.survey, voter: nodes[node].own,
            question: request.request.question, ballot: request.ballot, version: request.request.configuration.version,
            reply: reply)
        let transmission = transmit(client: request.client, node: node, toNode: false)
        for delay in [transmission.first, transmission.second] {
            if let delay { queue.add(.reply(client: request.client, answer, sentAt: now), at: now + delay) }
        }
        if transmission.first == nil, recorder != nil {
            noteMessage(
                .lost, from: nodes[node].id.description, to: clients[request.client].name, sentAt: now,
                words(for: answer),
                "(\(transmission.lostBecause))")
        }
    }

    private mutating func transmit(client: Int, node: Int, toNode: Bool) -> Transmission {
        var transmission = Transmission()
        if isCut(client: client, node: node, toNode: toNode) {
            transmission.lostBecause = "cut off"
            return transmission
        }
        if isFaulty, random.chance(permille: plan.lossPermille) {
            transmission.lostBecause = "lost on the way"
            return transmission
        }
        transmission.first = travel(client: client, node: node)
        if isFaulty, random.chance(permille: plan.duplicationPermille) {
            transmission.second = travel(client: client, node: node)
        }
        return transmission
    }

    private mutating func travel(client: Int, node: Int) -> Int {
        var time = duration(plan.latency, node: node, client: client)
        if isFaulty, random.chance(permille: plan.delayPermille) { time += random.within(5_000...200_000) }
        return time
    }

    mutating func duration(_ latency: Plan.Latency, node: Int, client: Int) -> Int {
        switch latency {
        case .within(let range): random.within(range)
        case .fixed(let base, let perNode, let perClient): base + perNode * node + perClient * client
        }
    }

    private func isCut(client: Int, node: Int, toNode: Bool) -> Bool {
        guard let partition else { return false }
        let isNodeInside = partition.nodes & 1 << UInt64(node) != 0
        let isClientInside = partition.clients & 1 << UInt64(client) != 0
        guard isNodeInside != isClientInside else { return false }
        return !partition.isOneWay || (toNode ? isClientInside : isNodeInside)
    }
}
