import Base
import ChunkPaxos

// Storage nodes: every answer that follows from a change waits until the change is durable.
extension World {
    mutating func receive(_ request: SimulatedNode.Request, at node: Int, sentAt: Int) {
        let from = clients[request.client].name
        guard nodes[node].isUp else {
            if recorder != nil {
                noteMessage(.lost, from: from, to: "\(nodes[node].id)", sentAt: sentAt, words(for: request), "(down)")
            }
            return
        }
        if recorder != nil {
            noteMessage(.delivered, from: from, to: "\(nodes[node].id)", sentAt: sentAt, words(for: request))
        }
        if case .read = request.request.question {
            read(request, at: node)
        } else if nodes[node].unsaid != nil {
            nodes[node].waiting.append(request)
        } else {
            process(request, at: node)
        }
    }

    /// What is durable is shown at once, whatever waits to become so.
    private mutating func read(_ request: SimulatedNode.Request, at node: Int) {
        var acceptor = nodes[node].acceptor
        if nodes[node].unsaid != nil {
            let record = nodes[node].disk.durable
            acceptor = ChunkAcceptor(
                own: nodes[node].own, configuration: record?.configuration, vote: record?.vote ?? Acceptor())
        }
        let reply = acceptor.on(request.request)
        // Of what it has lost, a damaged log cannot say that it was never there.
        if nodes[node].isDamaged, case .state(let state) = reply, state.accepted == nil { return }
        answer(request, reply, from: node)
    }

    private mutating func process(_ request: SimulatedNode.Request, at node: Int) {
        guard !nodes[node].isDamaged else { return }
        let before = nodes[node].acceptor
        let reply = joints.ask(&nodes[node].acceptor, request.request)
        guard nodes[node].acceptor != before else { return answer(request, reply, from: node) }
        nodes[node].disk.write(SimulatedDisk.Record(nodes[node].acceptor))
        nodes[node].unsaid = (request, reply)
        if joints.answersBeforeDurable { answer(request, reply, from: node) }
        let time = duration(plan.synchronization, node: node, client: 0)
        queue.add(.synchronized(node: node, incarnation: nodes[node].incarnation), at: now + time)
    }

    mutating func synchronized(_ node: Int, _ incarnation: Int) {
        guard nodes[node].incarnation == incarnation, let unsaid = nodes[node].unsaid else { return }
        nodes[node].disk.synchronize()
        note(.synchronized, from: nodes[node].id.description) { "durable: \($0.describeDisk(node))" }
        noteDurable(node)
        nodes[node].unsaid = nil
        if !joints.answersBeforeDurable { answer(unsaid.question, unsaid.reply, from: node) }
        while nodes[node].unsaid == nil, !nodes[node].waiting.isEmpty {
            process(nodes[node].waiting.removeFirst(), at: node)
        }
    }

    /// Compares what the node's disk says now with what must be.
    mutating func noteDurable(_ node: Int) {
        checkTold(node)
        if let record = nodes[node].disk.durable, let configuration = record.configuration {
            let chosen = checker.onDurable(nodes[node].own, configuration, record.vote, values)
            if let chosen {
                note(
                    .chosen,
                    text: "\(Values.name(chosen.value)) is chosen @\(configuration.version) under \(chosen.ballot)")
            }
        }
        checkSurvival()
    }

    mutating func checkSurvival() {
        let (nodes, lost) = (nodes, lost)
        checker.checkSurvival { member in
            guard let acceptor = member.acceptor, !lost.contains(acceptor),
                let node = nodes.first(where: { $0.identity == acceptor })
            else { return .lost }
            return .intact(node.disk.durable)
        }
    }

    mutating func noteTold(_ node: Int, _ version: UInt32, _ reply: ChunkAcceptor.Reply) {
        switch reply {
        case .answered(.promised), .answered(.accepted):
            guard let ballot = nodes[node].acceptor.vote.promised else { return }
            if let told = nodes[node].told, (told.version, told.ballot) >= (version, ballot) { return }
            nodes[node].told = (version, ballot)
        default: break
        }
    }

    private mutating func checkTold(_ node: Int) {
        guard let told = nodes[node].told, !nodes[node].isDamaged else { return }
        let version = nodes[node].acceptor.configuration?.version ?? 0
        let promised = nodes[node].acceptor.vote.promised
        let isKept = version > told.version || version == told.version && promised.map { $0 >= told.ballot } ?? false
        guard !isKept else { return }
        checker.fail(
            .acceptorsKeepTheirWord,
            "\(nodes[node].id) answered a promise of \(told.ballot) @\(told.version) and forgot it")
    }
}
