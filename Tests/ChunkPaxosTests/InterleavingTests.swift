import Base
import Testing

@testable import ChunkPaxos

/// Two proposers and three acceptors, driven through every order in which their messages can arrive. A message that is
/// lost is one that never arrives: since safety is checked in every state on the way, every loss is covered.
///
/// What is chosen follows from the acceptors alone, so that of two proposers only the answers that make one speak again
/// have to travel: promises to one that still prepares. The others would multiply the states and change nothing.
@Suite("Rival proposers")
struct InterleavingTests {
    @Test("no order of messages lets two values be chosen")
    func allInterleavings() throws {
        var explorer = try Explorer(world: World(proposerCount: 2, creatorReaches: nil))
        explorer.run()
        #expect(explorer.violation == nil)
        #expect(explorer.chosenValues == [0, 1], "both proposers win in some order")
        #expect(explorer.seen.count > 1000)
    }

    @Test("what ballot 0 reached is kept by whoever comes later", arguments: [[0], [0, 1], [0, 2], [0, 1, 2]])
    func creatorFirst(_ reached: [Int]) throws {
        var explorer = try Explorer(world: World(proposerCount: 1, creatorReaches: reached))
        explorer.run()
        #expect(explorer.violation == nil)
        #expect(explorer.chosenValues == (reached.count == 1 ? [0, World.creatorValue] : [World.creatorValue]))
    }

    @Test("ballot 0 arriving late, in part or never, is safe beside another proposer", arguments: [1])
    func creatorInFlight(_ proposerCount: Int) throws {
        var world = try World(proposerCount: proposerCount, creatorReaches: nil)
        world.sendCreatorsValue()
        var explorer = Explorer(world: world)
        explorer.run()
        #expect(explorer.violation == nil)
        #expect(explorer.chosenValues == Set((0..<proposerCount).map(UInt8.init) + [World.creatorValue]))
    }

    @Test("an acceptor that forgets its promises is caught")
    func brokenAcceptor() throws {
        var explorer = try Explorer(world: World(proposerCount: 2, creatorReaches: nil, forgetsPromises: true))
        explorer.run()
        #expect(explorer.violation != nil)
    }

    @Test("a proposer that does not adopt is caught")
    func brokenProposer() throws {
        var explorer = try Explorer(world: World(proposerCount: 2, creatorReaches: nil, hidesAccepted: true))
        explorer.run()
        #expect(explorer.violation != nil)
    }
}

/// Acceptors, proposers and the messages between them.
private struct World: Hashable {
    static let creatorValue: UInt8 = 9
    static let nodes = ["a", "b", "c"].compactMap { NodeID($0) }
    static let voters = nodes.map { Membership.Member($0) }

    enum Message: Hashable {
        case prepare(Int, Ballot)
        case accept(Int, Ballot, value: [UInt8])
        /// An acceptor's answer on its way back to the proposer.
        case answer(Int, Proposer.Question, Ballot, Acceptor.Answer)
    }

    var acceptors = [Acceptor(), Acceptor(), Acceptor()]
    var proposers: [Proposer] = []
    /// In flight. The link of proposer p and acceptor a is `p * 3 + a`.
    var messages: Set<Message> = []
    /// Every acceptance that ever was, and at whom.
    var accepts: [Acceptor.Accepted: Set<Int>] = [:]
    /// Proposers that have begun their second phase.
    private var spoken: Set<Int> = []
    /// Whether a proposer called decided what no majority had accepted.
    private(set) var wasMistaken = false
    let forgetsPromises: Bool
    let hidesAccepted: Bool

    init(proposerCount: Int, creatorReaches: [Int]?, forgetsPromises: Bool = false, hidesAccepted: Bool = false) throws
    {
        let membership = try Membership(Self.voters)
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
                Proposer(membership: membership, proposer: UInt64(index + 1), value: [UInt8(index)]))
            let actions = proposers[index].onRetry()
            send(actions, of: index)
        }
    }

    mutating func sendCreatorsValue() {
        for node in Self.nodes {
            let ballot = Ballot(round: 0, proposer: 100)
            messages.insert(.accept(link(proposers.count, node), ballot, value: [Self.creatorValue]))
        }
    }

    /// Values that a majority accepted under one ballot at some time.
    var chosen: Set<UInt8> { Set(accepts.filter { $0.value.count >= 2 }.compactMap { $0.key.value.first }) }

    /// The world after the message has arrived.
    func delivering(_ message: Message) -> World {
        var world = self
        world.messages.remove(message)
        switch message {
        case .prepare(let link, let ballot):
            let answer = world.acceptors[link % 3].onPrepare(ballot)
            world.reply(.answer(link, .prepare, ballot, answer))
        case .accept(let link, let ballot, let value):
            let number = link % 3
            if forgetsPromises { world.acceptors[number] = Acceptor(accepted: world.acceptors[number].accepted) }
            let answer = world.acceptors[number].onAccept(ballot, value: value)
            if answer == .accepted {
                world.accepts[Acceptor.Accepted(ballot: ballot, value: value), default: []].insert(number)
            }
            world.reply(.answer(link, .accept, ballot, answer))
        case .answer(let link, let question, let ballot, let answer):
            let (number, voter) = (link / 3, Self.voters[link % 3])
            let actions =
                switch answer {
                case .promised(let accepted):
                    world.proposers[number].onPromised(voter, ballot, accepted: hidesAccepted ? nil : accepted)
                case .accepted: world.proposers[number].onAccepted(voter, ballot)
                case .rejected(let promised, _):
                    world.proposers[number].onRejected(voter, question, ballot, promised: promised)
                }
            world.send(actions, of: number)
        }
        return world
    }

    private mutating func reply(_ message: Message) {
        guard case .answer(let link, _, _, _) = message, link / 3 < proposers.count else { return }
        if proposers.count > 1 {
            guard case .answer(_, .prepare, _, .promised) = message, !spoken.contains(link / 3) else { return }
        }
        messages.insert(message)
    }

    private mutating func send(_ actions: [Proposer.Action], of number: Int) {
        if case .accept? = actions.first, proposers.count > 1 {
            spoken.insert(number)
            messages = messages.filter { if case .answer(let link, _, _, _) = $0 { link / 3 != number } else { true } }
        }
        for action in actions {
            switch action {
            case .prepare(let node, let ballot):
                messages.insert(.prepare(link(number, node), ballot))
            case .accept(let node, let ballot, let value):
                messages.insert(.accept(link(number, node), ballot, value: value))
            case .decided(let accepted): wasMistaken = wasMistaken || accepts[accepted, default: []].count < 2
            case .preempted, .superseded, .inconsistent: break
            }
        }
    }

    private func link(_ number: Int, _ node: NodeID) -> Int {
        number * 3 + (Self.nodes.firstIndex(of: node) ?? 0)
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
            if world.chosen.count > 1 || world.wasMistaken { violation = world }
            for message in world.messages { open.append(world.delivering(message)) }
        }
    }
}
