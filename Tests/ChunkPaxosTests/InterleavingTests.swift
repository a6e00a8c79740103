import Base
import Testing

@testable import ChunkPaxos

/// Two proposers and three acceptors, driven through every order in which their messages can arrive. A message that is
/// lost is one that never arrives: since safety is checked in every state on the way, every loss is covered.
@Suite("Rival proposers")
struct InterleavingTests {
    @Test("no order of messages lets two values be chosen")
    func allInterleavings() {
        var explorer = Explorer(world: World(proposerCount: 2, creatorReaches: nil))
        explorer.run()
        #expect(explorer.violation == nil)
        #expect(explorer.chosenValues == [0, 1], "both proposers win in some order")
        #expect(explorer.seen.count > 1000)
    }

    @Test("what ballot 0 reached is kept by whoever comes later", arguments: [[0], [0, 1], [0, 2], [0, 1, 2]])
    func creatorFirst(_ reached: [Int]) {
        var explorer = Explorer(world: World(proposerCount: 1, creatorReaches: reached))
        explorer.run()
        #expect(explorer.violation == nil)
        #expect(explorer.chosenValues == (reached.count == 1 ? [0, World.creatorValue] : [World.creatorValue]))
    }

    @Test("an acceptor that forgets its promises is caught")
    func brokenAcceptor() {
        var explorer = Explorer(world: World(proposerCount: 2, creatorReaches: nil, forgetsPromises: true))
        explorer.run()
        #expect(explorer.violation != nil)
    }

    @Test("a proposer that does not adopt is caught")
    func brokenProposer() {
        var explorer = Explorer(world: World(proposerCount: 2, creatorReaches: nil, hidesAccepted: true))
        explorer.run()
        #expect(explorer.violation != nil)
    }
}

/// Acceptors, proposers and the messages between them.
private struct World: Hashable {
    static let creatorValue: UInt8 = 9
    static let nodes = ["a", "b", "c"].compactMap { NodeID($0) }

    enum Message: Hashable {
        case prepare(Int, Ballot)
        case accept(Int, Ballot, value: [UInt8])
        /// An acceptor's answer on its way back to the proposer.
        case answer(Int, Proposer.Question, Ballot, Acceptor.Answer)
    }

    var acceptors = [Acceptor(), Acceptor(), Acceptor()]
    var proposers: [Proposer] = []
    /// Who sends it to whom: the link of proposer p and acceptor a is `p * 3 + a`. The links keep their own order.
    var messages: [Message] = []
    /// Every acceptance that ever was; a bit for each acceptor. In order of ballot.
    var accepts: [Acceptor.Accepted: Set<Int>] = [:]
    let forgetsPromises: Bool
    let hidesAccepted: Bool

    init(proposerCount: Int, creatorReaches: [Int]?, forgetsPromises: Bool = false, hidesAccepted: Bool = false) {
        self.forgetsPromises = forgetsPromises
        self.hidesAccepted = hidesAccepted
        for acceptor in creatorReaches ?? [] {
            let accepted = Acceptor.Accepted(
                ballot: Ballot(round: 0, proposer: 100), value: [Self.creatorValue])
            _ = acceptors[acceptor].onAccept(accepted.ballot, value: accepted.value)
            accepts[accepted, default: []].insert(acceptor)
        }
        for index in 0..<proposerCount {
            proposers.append(
                Proposer(acceptors: Self.nodes, proposer: UInt64(index + 1), value: [UInt8(index)]))
            let actions = proposers[index].onRetry()
            send(actions, of: index)
        }
    }

    /// Values that a majority accepted under one ballot at some time.
    var chosen: Set<UInt8> { Set(accepts.filter { $0.value.count >= 2 }.compactMap { $0.key.value.first }) }

    /// The world after message `index` has arrived.
    func delivering(_ index: Int) -> World {
        var world = self
        let message = world.messages.remove(at: index)
        switch message {
        case .prepare(let link, let ballot):
            let answer = world.acceptors[link % 3].onPrepare(ballot)
            world.messages.append(.answer(link, .prepare, ballot, answer))
        case .accept(let link, let ballot, let value):
            let number = link % 3
            if forgetsPromises { world.acceptors[number] = Acceptor(accepted: world.acceptors[number].accepted) }
            let answer = world.acceptors[number].onAccept(ballot, value: value)
            if answer == .accepted {
                world.accepts[Acceptor.Accepted(ballot: ballot, value: value), default: []].insert(number)
            }
            world.messages.append(.answer(link, .accept, ballot, answer))
        case .answer(let link, let question, let ballot, let answer):
            let (number, node) = (link / 3, Self.nodes[link % 3])
            let actions =
                switch answer {
                case .promised(let accepted):
                    world.proposers[number].onPromised(node, ballot, accepted: hidesAccepted ? nil : accepted)
                case .accepted: world.proposers[number].onAccepted(node, ballot)
                case .rejected(let promised, _):
                    world.proposers[number].onRejected(node, question, ballot, promised: promised)
                }
            world.send(actions, of: number)
        }
        return world
    }

    private mutating func send(_ actions: [Proposer.Action], of number: Int) {
        for action in actions {
            switch action {
            case .prepare(let node, let ballot):
                messages.append(.prepare(link(number, node), ballot))
            case .accept(let node, let ballot, let value):
                messages.append(.accept(link(number, node), ballot, value: value))
            case .decided, .preempted, .inconsistent: break
            }
        }
    }

    private func link(_ number: Int, _ node: NodeID) -> Int {
        number * 3 + (Self.nodes.firstIndex(of: node) ?? 0)
    }

    // Messages in flight are a set: the order in which they stand in the array is no part of the state.
    static func == (a: World, b: World) -> Bool {
        a.acceptors == b.acceptors && a.proposers == b.proposers && a.accepts == b.accepts
            && Set(a.messages) == Set(b.messages)
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(acceptors)
        hasher.combine(proposers)
        hasher.combine(Set(messages))
    }
}

/// Visits every state once, depth first.
private struct Explorer {
    var seen: Set<World> = []
    var chosenValues: Set<UInt8> = []
    var violation: World?
    private var open: [World]

    init(world: World) { open = [world] }

    mutating func run() {
        while violation == nil, let world = open.popLast() {
            guard seen.insert(world).inserted else { continue }
            chosenValues.formUnion(world.chosen)
            if world.chosen.count > 1 { violation = world }
            for index in world.messages.indices { open.append(world.delivering(index)) }
        }
    }
}
