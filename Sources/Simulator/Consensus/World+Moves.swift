import Base
import ChunkPaxos

// Reading what is decided, and moving the chunk on.
extension World {
    /// Asks everybody of the configuration what they have.
    mutating func survey(_ client: Int) {
        let configuration = clients[client].configuration
        clients[client].work = .learning(Learner(membership: configuration.membership))
        clients[client].answered = 0
        clients[client].survey += 1
        clients[client].ballot = nil
        clients[client].acknowledgedBefore = checker.instances.map(\.isAcknowledged)
        note(.started, from: clients[client].name, text: "reads @\(configuration.version) of \(configuration.names)")
        for node in configuration.membership.nodes { send(.read, nil, from: client, to: node) }
        setTimer(client, .answers, in: random.within(8_000...40_000))
    }

    mutating func learn(_ reply: Reply, _ learner: Learner, of client: Int) {
        let membership = clients[client].configuration.membership
        guard reply.survey == clients[client].survey else { return }
        var learner = learner
        learner.onReply(reply.voter, reply.reply)
        clients[client].work = .learning(learner)
        if let index = membership.index(of: reply.voter) { clients[client].answered |= 1 << Checker.Members(index) }
        switch learner.verdict {
        case .chosen, .superseded, .conflict: conclude(client, learner.verdict)
        case .undecided, .empty, .unknown:
            guard clients[client].answered.nonzeroBitCount == membership.members.count else { return }
            conclude(client, learner.verdict)
        }
    }

    mutating func conclude(_ client: Int, _ verdict: Learner.Verdict) {
        switch verdict {
        case .chosen(let accepted, _): learned(accepted.value, by: client)
        case .superseded(let configuration): follow(client, configuration)
        case .conflict(let one, let other):
            checker.fail(
                .oneValuePerBallot,
                "\(clients[client].name) reads \(Values.name(one.value)) and \(Values.name(other.value)) under ballot "
                    + "\(one.ballot)")
        case .undecided(let accepted):
            if clients[client].role == .mover, joints.movesUndecided { return move(client, from: accepted.value) }
            leave(client)
        case .empty:
            checkEmpty(client)
            leave(client)
        case .unknown: leave(client)
        }
    }

    private mutating func learned(_ value: [UInt8], by client: Int) {
        let (name, version) = (clients[client].name, clients[client].configuration.version)
        clients[client].decided = value
        note(.decided, from: name, text: "reads that \(Values.name(value)) is decided @\(version)")
        checker.onDecided(value, in: Int(version), by: name, tells: true)
        checkSurvival()
        if clients[client].role == .mover { return move(client, from: value) }
        guard let next = successor(client, value) else { return end(client) }
        clients[client].configuration = next
        survey(client)
    }

    private mutating func checkEmpty(_ client: Int) {
        let version = Int(clients[client].configuration.version)
        let before = clients[client].acknowledgedBefore
        guard before.indices.contains(version), before[version] else { return }
        checker.fail(
            .readsSeeAcknowledged, "\(clients[client].name) reads nothing @\(version), where a value was acknowledged")
    }

    /// Nothing is decided here, as far as is known.
    private mutating func leave(_ client: Int) {
        guard clients[client].role == .mover else { return end(client, "has read all there is") }
        // A configuration that rests on a value is one to move on from.
        if clients[client].configuration.version > 0 { return proposeMove(client) }
        clients[client].attempts += 1
        guard clients[client].attempts < Self.attemptsMax else { return end(client, "finds nothing to move") }
        wait(client)
    }

    private func successor(_ client: Int, _ value: [UInt8]) -> Configuration? {
        clients[client].configuration.successor(chosen: value, holders: values.holders(of: value))
    }

    private mutating func move(_ client: Int, from value: [UInt8]) {
        guard let next = successor(client, value) else { return end(client) }
        clients[client].configuration = next
        guard checker.enter(next, values) else { return }
        proposeMove(client)
    }

    private mutating func proposeMove(_ client: Int) {
        propose(client, holders: otherHolders(than: clients[client].configuration.membership))
    }

    /// One member more, fewer or another; a node whose disk was wiped may come back under its new identity.
    private mutating func otherHolders(than old: Membership) -> Membership {
        var members = old.members
        let place = random.below(members.count)
        switch random.below(10) {
        case 0 where members.count > 1: members.remove(at: place)
        case 1: members.insert(nodes[random.below(nodes.count)].own, at: place)
        default: members[place] = nodes[random.below(nodes.count)].own
        }
        guard members.count <= 6, let new = try? Membership(members), isViable(new) else { return old }
        return new
    }

    private func isViable(_ membership: Membership) -> Bool {
        let alive = membership.members.count { member in member.acceptor.map { !lost.contains($0) } ?? false }
        return alive >= membership.quorum
    }

    /// The value is decided: its holders have to know of each other, so that whoever is no holder may forget.
    mutating func install(_ client: Int, after value: [UInt8]) {
        let leaving = clients[client].configuration.membership
        guard let next = successor(client, value) else { return end(client) }
        clients[client].configuration = next
        clients[client].leaving = leaving.nodes.filter { !next.membership.nodes.contains($0) }
        clients[client].work = .installing
        clients[client].answered = 0
        note(.started, from: clients[client].name, text: "installs @\(next.version) at \(next.names)")
        askToInstall(client)
    }

    mutating func askToInstall(_ client: Int) {
        let membership = clients[client].configuration.membership
        for (index, member) in membership.members.enumerated()
        where clients[client].answered & 1 << Checker.Members(index) == 0 {
            send(.install, nil, from: client, to: member.node)
        }
        setTimer(client, .answers, in: random.within(8_000...40_000))
    }

    mutating func noteInstalled(_ reply: Reply, by client: Int) {
        let configuration = clients[client].configuration
        guard let index = configuration.membership.index(of: reply.voter) else { return }
        switch reply.reply {
        case .installed: clients[client].answered |= 1 << Checker.Members(index)
        // Somebody has moved the chunk further still.
        case .superseded: return end(client, "finds the chunk moved on")
        case .answered, .state, .foreign: return
        }
        guard clients[client].answered.nonzeroBitCount >= configuration.membership.quorum else { return }
        if catalog.version < configuration.version { catalog = configuration }
        let leaving = clients[client].leaving
        end(client, "has moved the chunk to \(configuration.names)")
        if isFaulty { for node in leaving where random.chance(permille: 500) { retire(node) } }
    }

    /// A node that is no holder any more may forget.
    private mutating func retire(_ id: NodeID) {
        guard let node = nodes.firstIndex(where: { $0.id == id }), nodes[node].isUp, mayLose(node) else { return }
        wipe(node)
    }
}
