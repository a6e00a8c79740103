import Base
import ChunkPaxos

// What goes wrong, and how it is mended.
extension World {
    mutating func happen(_ fault: Plan.Fault) {
        switch fault {
        case .crashNode(let node, let down):
            guard nodes[node].isUp, !plan.absentNodes.contains(node) else { return }
            crash(node)
            queue.add(.restartNode(node, incarnation: nodes[node].incarnation), at: now + down)
        case .wipeNode(let node): if mayLose(node) { wipe(node) }
        case .rotNode(let node): if mayLose(node) { rot(node) }
        case .crashClient(let client, let down): crashClient(client, down)
        case .partition(let nodes, let clients, let isOneWay, let time):
            partition = (nodes, clients, isOneWay)
            note(.partitioned, describing: { $0.describePartition(nodes, clients, isOneWay) })
            queue.add(.healed, at: now + time)
        case .clockJump(let client, let time): jumpClock(of: client, by: time)
        }
    }

    mutating func heal() {
        guard partition != nil else { return }
        partition = nil
        note(.healed, text: "everybody reaches everybody")
    }

    /// From here on nothing goes wrong any more: whoever is down comes back, and two more clients see to it that there
    /// is a value, and what it is.
    mutating func endFaults() {
        note(.healed, text: "the faults end")
        partition = nil
        for node in nodes.indices where !nodes[node].isUp { restartNode(node, nodes[node].incarnation) }
        for client in clients.indices where !clients[client].isUp {
            restartClient(client, clients[client].incarnation)
        }
        add(Plan.ClientPlan(role: .proposer, startMicroseconds: now + 1_000), clients.count)
        add(Plan.ClientPlan(role: .reader, startMicroseconds: now + 10_000_000), clients.count)
    }

    /// Takes the power away: what is not synchronized has a fate of its own.
    private mutating func crash(_ node: Int) {
        nodes[node].isUp = false
        nodes[node].incarnation += 1
        nodes[node].unsaid = nil
        nodes[node].waiting = []
        let mayLose = plan.losesUnsynchronized
        var random = random
        let fates = nodes[node].disk.crash { mayLose ? [.kept, .lost, .torn][random.below(3)] : .kept }
        self.random = random
        let text = fates.isEmpty ? "" : "; unsynchronized: \(fates.map(\.rawValue).joined(separator: ", "))"
        note(.crashed, from: nodes[node].id.description, text: "crashes\(text)")
    }

    mutating func restartNode(_ node: Int, _ incarnation: Int) {
        guard !nodes[node].isUp, nodes[node].incarnation == incarnation, !plan.absentNodes.contains(node) else {
            return
        }
        nodes[node].isUp = true
        nodes[node].acceptor = joints.recover(nodes[node].own, nodes[node].disk.durable)
        note(.restarted, from: nodes[node].id.description) { "starts with: \($0.describeDisk(node))" }
        noteDurable(node)
    }

    /// Whether every membership that is in use, or may come into use, has a quorum left without this node's disk.
    func mayLose(_ node: Int) -> Bool {
        guard !lost.contains(nodes[node].identity) else { return false }
        var memberships = checker.isClosed(0) ? [] : [checker.instances[0].configuration.membership]
        for value in 0..<values.count where !isPast(value) { memberships.append(values.holders(value)) }
        return memberships.allSatisfy { membership in
            let gone = membership.members.count { member in
                member.acceptor.map { lost.contains($0) || $0 == nodes[node].identity } ?? false
            }
            return membership.members.count - gone >= membership.quorum
        }
    }

    /// Whether the chunk has gone on from where the value's holders decide.
    private func isPast(_ value: Int) -> Bool {
        let bytes = values.bytes(value)
        return checker.instances.contains { instance in
            instance.configuration.base == bytes && checker.isClosed(Int(instance.configuration.version))
        }
    }

    mutating func wipe(_ node: Int) {
        crash(node)
        let old = nodes[node].identity
        lost.append(old)
        let new = AcceptorID(high: UInt64(lost.count), low: UInt64(node + 1))
        nodes[node].identity = joints.identity(replacing: old, by: new)
        nodes[node].disk = SimulatedDisk()
        nodes[node].isDamaged = false
        if nodes[node].identity != old { nodes[node].told = nil }
        note(.wiped, from: nodes[node].id.description, text: "gets an empty disk")
        restartNode(node, nodes[node].incarnation)
    }

    private mutating func rot(_ node: Int) {
        guard nodes[node].disk.durable != nil else { return }
        crash(node)
        lost.append(nodes[node].identity)
        nodes[node].disk.rot()
        nodes[node].isDamaged = true
        note(.rotted, from: nodes[node].id.description, text: "finds its log damaged, and has no vote any more")
        restartNode(node, nodes[node].incarnation)
    }

    private mutating func crashClient(_ client: Int, _ down: Int) {
        guard clients[client].isUp, !clients[client].hasEnded else { return }
        if case .nothing = clients[client].work { return }
        clients[client].isUp = false
        clients[client].incarnation += 1
        clients[client].timerNumber += 1
        note(.crashed, from: clients[client].name, text: "crashes")
        queue.add(.restartClient(client, incarnation: clients[client].incarnation), at: now + down)
    }

    /// A clock that goes back makes a wait longer, one that goes forward ends it sooner.
    private mutating func jumpClock(of client: Int, by time: Int) {
        guard clients[client].isUp, !clients[client].hasEnded else { return }
        if case .nothing = clients[client].work { return }
        note(.clock, from: clients[client].name, text: "its clock jumps by \(time / 1000) ms")
        setTimer(client, clients[client].timer, in: max(0, clients[client].deadlineMicroseconds - now - time))
    }
}
