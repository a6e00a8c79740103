import Base
import ChunkPaxos

// Processes that ask acceptors: what makes them begin, wait, go on and end.
extension World {
    private static let answerMicroseconds = 8_000...40_000
    /// How often one that moves a chunk, or looks for what to move, tries before it leaves it at that.
    static let attemptsMax = 8

    mutating func start(_ client: Int) {
        guard clients[client].isUp, !clients[client].hasEnded else { return }
        // Some come with what the catalog says, some with what they were given long ago.
        if !isFaulty || random.chance(permille: 500) {
            clients[client].configuration = catalog
            noteBase(of: catalog, known: client)
        }
        begin(client)
    }

    private mutating func begin(_ client: Int) {
        clients[client].backoff = SimulatedClient.backoff
        switch clients[client].role {
        case .reader, .mover: survey(client)
        case .creator where clients[client].configuration.version == 0: create(client)
        case .creator, .proposer: propose(client, holders: clients[client].configuration.membership)
        }
    }

    mutating func restartClient(_ client: Int, _ incarnation: Int) {
        guard !clients[client].isUp, clients[client].incarnation == incarnation else { return }
        clients[client].isUp = true
        let isForgetful = !joints.restartsUnderOldNumber
        note(.restarted, from: clients[client].name, text: "starts again")
        switch clients[client].role {
        case .reader, .mover: begin(client)
        case .creator where !isForgetful: create(client)
        // Whoever cannot be sure of its old bytes is the creator no more.
        case .creator, .proposer: propose(client, holders: clients[client].configuration.membership)
        }
    }

    // Creating and proposing.

    private mutating func create(_ client: Int) {
        choose(client, holders: clients[client].configuration.membership)
        let (configuration, number) = (clients[client].configuration, clients[client].number)
        var creator = Creator(
            membership: configuration.membership, proposer: number, value: values.bytes(clients[client].value))
        note(.started, from: clients[client].name) { "creates \($0.valueText(client)) @0 with \(configuration.names)" }
        let actions = creator.onRetry()
        clients[client].work = .creating(creator)
        perform(actions, of: client)
    }

    mutating func propose(_ client: Int, holders: Membership) {
        choose(client, holders: holders)
        let configuration = clients[client].configuration
        note(.started, from: clients[client].name) {
            "proposes \($0.valueText(client)) @\(configuration.version) to \(configuration.names)"
        }
        propose(client)
    }

    /// Both phases for the value the client has.
    private mutating func propose(_ client: Int) {
        var proposer = Proposer(
            membership: clients[client].configuration.membership, proposer: clients[client].number,
            value: values.bytes(clients[client].value))
        let actions = proposer.onRetry()
        clients[client].work = .proposing(proposer)
        perform(actions, of: client)
    }

    /// A new value, and the number it is proposed under.
    private mutating func choose(_ client: Int, holders: Membership) {
        clients[client].value = values.add(holders)
        let isOld = joints.restartsUnderOldNumber && clients[client].number != 0
        if !isOld { clients[client].number = newProposerNumber() }
    }

    private func valueText(_ client: Int) -> String {
        let value = clients[client].value
        return "\(Values.name(values.bytes(value))) (on \(values.holders(value).names))"
    }

    private mutating func perform(_ actions: [Creator.Action], of client: Int) {
        for action in actions {
            switch action {
            case .accept(let node, let ballot, let value):
                clients[client].ballot = ballot
                send(.accept(ballot, value: value), ballot, from: client, to: node)
            case .decided(let accepted): return decide(client, accepted.value)
            case .stalled: return wait(client)
            case .preempted:
                note(.ended, from: clients[client].name, text: "is preempted, and goes on as a proposer")
                clients[client].number = newProposerNumber()
                return propose(client)
            case .superseded(let configuration): return follow(client, configuration)
            }
        }
        if !actions.isEmpty { awaitAnswers(client) }
    }

    private mutating func perform(_ actions: [Proposer.Action], of client: Int) {
        for action in actions {
            switch action {
            case .prepare(let node, let ballot):
                open(.prepare, ballot, client)
                send(.prepare(ballot), ballot, from: client, to: node)
            case .accept(let node, let ballot, let value):
                open(.accept, ballot, client)
                send(.accept(ballot, value: value), ballot, from: client, to: node)
            case .decided(let accepted): return decide(client, accepted.value)
            case .preempted: return wait(client)
            case .superseded(let configuration): return follow(client, configuration)
            case .inconsistent(let ballot):
                return checker.fail(
                    .oneValuePerBallot, "\(clients[client].name) is told of two values under ballot \(ballot)")
            }
        }
        if !actions.isEmpty { awaitAnswers(client) }
    }

    private mutating func open(_ question: Proposer.Question, _ ballot: Ballot, _ client: Int) {
        guard clients[client].question != question || clients[client].ballot != ballot else { return }
        clients[client].question = question
        clients[client].ballot = ballot
        clients[client].granted = 0
    }

    /// The client knows the value to be decided in its configuration's version.
    private mutating func decide(_ client: Int, _ value: [UInt8]) {
        let configuration = clients[client].configuration
        let name = clients[client].name
        clients[client].decided = value
        note(.decided, from: name, text: "knows that \(Values.name(value)) is decided @\(configuration.version)")
        checker.onDecided(value, in: Int(configuration.version), by: name, tells: true)
        checkSurvival()
        guard clients[client].role == .mover else { return end(client) }
        install(client, after: value)
    }

    // Waiting.

    private mutating func awaitAnswers(_ client: Int) {
        setTimer(client, .answers, in: random.within(Self.answerMicroseconds))
    }

    /// Until it tries again.
    mutating func wait(_ client: Int) {
        let time = clients[client].backoff.onFailure(random: random.next())
        setTimer(client, .retry, in: Int(time / .microseconds(1)))
    }

    mutating func setTimer(_ client: Int, _ timer: SimulatedClient.Timer, in time: Int) {
        clients[client].timer = timer
        clients[client].timerNumber += 1
        clients[client].deadlineMicroseconds = now + time
        queue.add(.timer(client: client, number: clients[client].timerNumber), at: now + time)
    }

    mutating func timerFired(_ client: Int, _ number: Int) {
        guard clients[client].isUp, clients[client].timerNumber == number, !clients[client].hasEnded else { return }
        switch clients[client].timer {
        case .answers: giveUpAnswers(client)
        case .retry: retry(client)
        }
    }

    private mutating func giveUpAnswers(_ client: Int) {
        note(.timeout, from: clients[client].name, text: "waits for no more answers")
        let nodes = clients[client].configuration.membership.nodes
        switch clients[client].work {
        case .creating(var creator):
            let actions = nodes.flatMap { creator.onLost($0) }
            clients[client].work = .creating(creator)
            perform(actions, of: client)
        case .proposing(var proposer):
            guard let ballot = clients[client].ballot else { return }
            let question = clients[client].question
            let actions = nodes.flatMap { proposer.onLost($0, question, ballot) }
            clients[client].work = .proposing(proposer)
            perform(actions, of: client)
        case .learning(let learner): conclude(client, learner.verdict)
        case .installing:
            // Those that it waits for may be no holders any more, and gone.
            if catalog.version > clients[client].configuration.version {
                return end(client, "finds the chunk moved on")
            }
            askToInstall(client)
        case .nothing, .ended: break
        }
    }

    private mutating func retry(_ client: Int) {
        let version = clients[client].configuration.version
        switch clients[client].work {
        case .creating, .proposing:
            // The catalog may know by now that this was decided long ago, by those who are gone.
            if catalog.version > version { return follow(client, catalog) }
        case .learning: return survey(client)
        case .installing, .nothing, .ended: return
        }
        if case .creating(var creator) = clients[client].work {
            let actions = creator.onRetry()
            clients[client].work = .creating(creator)
            perform(actions, of: client)
        } else if case .proposing(var proposer) = clients[client].work {
            let actions = proposer.onRetry()
            clients[client].work = .proposing(proposer)
            perform(actions, of: client)
        }
    }

    mutating func end(_ client: Int, _ text: String = "has nothing left to do") {
        clients[client].work = .ended
        clients[client].timerNumber += 1
        note(.ended, from: clients[client].name, text: text)
    }

    /// The instance it worked in was decided, and the chunk is in a later configuration.
    mutating func follow(_ client: Int, _ configuration: Configuration) {
        noteBase(of: configuration, known: client)
        let role = clients[client].role
        clients[client].configuration = configuration
        clients[client].attempts += 1
        if role == .mover || role == .reader {
            guard clients[client].attempts < Self.attemptsMax else { return end(client, "leaves it at that") }
            survey(client)
        } else if isFaulty {
            end(client, "learns that the chunk has moved on")
        } else {
            // The last one sees to it that the newest version has a value too.
            propose(client, holders: configuration.membership)
        }
    }

    /// Whoever is told of a configuration is told what was chosen before.
    private mutating func noteBase(of configuration: Configuration, known client: Int) {
        guard let base = configuration.base, checker.enter(configuration, values) else { return }
        clients[client].decided = base
        checker.onDecided(base, in: Int(configuration.version) - 1, by: clients[client].name, tells: true)
        checkSurvival()
    }
}

// Answers.
extension World {
    mutating func receive(_ reply: Reply, at client: Int, sentAt: Int) {
        guard clients[client].isUp, clients[client].incarnation == reply.incarnation else { return }
        if recorder != nil {
            noteMessage(
                .delivered, from: "\(reply.voter.node)", to: clients[client].name, sentAt: sentAt, words(for: reply))
        }
        guard clients[client].configuration.version == reply.version else { return }
        switch (clients[client].work, reply.question) {
        case (.creating(var creator), .accept):
            let actions = joints.deliver(
                reply.reply, of: reply.voter, &creator, clients[client].configuration.membership,
                grants: grants(reply, of: client))
            clients[client].work = .creating(creator)
            perform(actions, of: client)
        case (.proposing(let proposer), .prepare): deliver(reply, to: .prepare, proposer, of: client)
        case (.proposing(let proposer), .accept): deliver(reply, to: .accept, proposer, of: client)
        case (.learning(let learner), .read): learn(reply, learner, of: client)
        case (.installing, .install): noteInstalled(reply, by: client)
        default: break
        }
    }

    private mutating func deliver(
        _ reply: Reply, to question: Proposer.Question, _ proposer: Proposer, of client: Int
    ) {
        guard let ballot = reply.ballot else { return }
        var proposer = proposer
        let isOpen = question == clients[client].question && ballot == clients[client].ballot
        let actions = joints.deliver(
            reply.reply, of: reply.voter, to: question, ballot, &proposer, clients[client].configuration.membership,
            grants: isOpen ? grants(reply, of: client) : 0)
        clients[client].work = .proposing(proposer)
        perform(actions, of: client)
    }

    /// How many have granted the open question, with this one; 0 when this one did not.
    private mutating func grants(_ reply: Reply, of client: Int) -> Int {
        switch reply.reply {
        case .answered(.promised), .answered(.accepted): break
        default: return 0
        }
        guard let index = clients[client].configuration.membership.index(of: reply.voter) else { return 0 }
        clients[client].granted |= 1 << Checker.Members(index)
        return clients[client].granted.nonzeroBitCount
    }
}

extension Configuration {
    /// Its members, for a trace.
    var names: String { membership.names }
}

extension Membership {
    var names: String { nodes.map(\.description).joined(separator: ",") }
}
