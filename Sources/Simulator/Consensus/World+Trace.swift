import Base
import ChunkPaxos

// What happened, in words. Nothing here is done unless somebody asked for it.
extension World {
    mutating func note(
        _ kind: TraceEvent.Kind, from: String? = nil, text: @autoclosure () -> String
    ) {
        guard recorder != nil else { return }
        record(
            TraceEvent(
                timeMicroseconds: now, kind: kind, from: from, to: nil, sentMicroseconds: nil, message: nil,
                text: text()))
    }

    /// For a text that says how the world is.
    mutating func note(_ kind: TraceEvent.Kind, from: String? = nil, describing text: (World) -> String) {
        guard recorder != nil else { return }
        let words = text(self)
        note(kind, from: from, text: words)
    }

    mutating func noteMessage(
        _ kind: TraceEvent.Kind, from: String, to: String, sentAt: Int, _ message: TraceMessage, _ remark: String = ""
    ) {
        record(
            TraceEvent(
                timeMicroseconds: now, kind: kind, from: from, to: to, sentMicroseconds: sentAt, message: message,
                text: remark.isEmpty ? message.text : "\(message.text) \(remark)"))
    }

    private mutating func record(_ event: TraceEvent) {
        let world = self
        recorder?.add(event) {
            TraceStep(
                event: event, acceptors: world.nodes.map(AcceptorSnapshot.init),
                clients: world.clients.map { ClientSnapshot($0, world.values) },
                chosen: world.checker.instances.compactMap { $0.chosen.map { Values.name($0.value) } })
        }
    }

    func words(for request: SimulatedNode.Request) -> TraceMessage {
        let version = request.request.configuration.version
        switch request.request.question {
        case .prepare(let ballot): return TraceMessage(type: "prepare", version: version, ballot: "\(ballot)")
        case .accept(let ballot, let value):
            return TraceMessage(
                type: "accept", version: version, ballot: "\(ballot)", value: Values.name(value))
        case .read: return TraceMessage(type: "read", version: version)
        case .install: return TraceMessage(type: "install", version: version)
        }
    }

    func words(for reply: Reply) -> TraceMessage {
        var message = TraceMessage(type: "", version: reply.version, ballot: reply.ballot?.description)
        switch reply.reply {
        case .answered(.promised(let accepted)):
            message = message.retyped("promised", accepted: accepted)
        case .answered(.accepted): message = message.retyped("accepted")
        case .answered(.rejected(let promised, let accepted)):
            message = message.retyped("rejected", promised: promised, accepted: accepted)
        case .state(let state):
            message = message.retyped("state", promised: state.promised, accepted: state.accepted)
        case .installed: message = message.retyped("installed")
        case .superseded(let configuration):
            message = TraceMessage(
                type: "superseded", version: configuration.version, value: configuration.base.map(Values.name))
        case .foreign: message = message.retyped("foreign")
        }
        return message
    }

    func describeDisk(_ node: Int) -> String {
        guard let record = nodes[node].disk.durable else { return "nothing" }
        var text = "@\(record.configuration?.version ?? 0)"
        if let promised = record.vote.promised { text += " promised \(promised)" }
        if let accepted = record.vote.accepted {
            text += ", accepted \(Values.name(accepted.value)) under \(accepted.ballot)"
        }
        return text
    }

    func describePartition(_ nodes: UInt64, _ clients: UInt64, _ isOneWay: Bool) -> String {
        let inside =
            self.nodes.indices.filter { nodes & 1 << UInt64($0) != 0 }.map { self.nodes[$0].id.description }
            + self.clients.indices.filter { clients & 1 << UInt64($0) != 0 }.map { self.clients[$0].name }
        let names = inside.isEmpty ? "nobody" : inside.joined(separator: ", ")
        return isOneWay ? "nothing from \(names) reaches the others" : "\(names) and the others are cut off"
    }
}

extension TraceMessage {
    fileprivate func retyped(
        _ type: String, promised: Ballot? = nil, accepted: Acceptor.Accepted? = nil
    ) -> TraceMessage {
        TraceMessage(
            type: type, version: version, ballot: ballot, value: value, promised: promised?.description,
            acceptedBallot: accepted?.ballot.description, acceptedValue: accepted.map { Values.name($0.value) })
    }
}

extension AcceptorSnapshot {
    fileprivate init(_ node: SimulatedNode) {
        let record = node.disk.durable
        self.init(
            node: node.id.description, identity: node.identity, isUp: node.isUp,
            version: record?.configuration?.version, promised: record?.vote.promised?.description,
            acceptedBallot: record?.vote.accepted?.ballot.description,
            acceptedValue: record?.vote.accepted.map { Values.name($0.value) })
    }
}

extension ClientSnapshot {
    fileprivate init(_ client: SimulatedClient, _ values: Values) {
        let proposes = client.role != .reader && client.value < values.count
        self.init(
            name: client.name, isUp: client.isUp, phase: client.phase, ballot: client.ballot?.description,
            value: proposes ? Values.name(values.bytes(client.value)) : nil,
            decided: client.decided.map(Values.name))
    }
}
