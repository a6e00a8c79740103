import ChunkPaxos
import ChunkStore

/// What one chunk must look like: the truth that the store is compared with.
///
/// Invariants:
/// - `live` is what acknowledged changes add up to, and nothing else.
/// - `possible` is what a power failure at this instant may leave: `live`, and what changes that were begun and never
///   acknowledged would have made of it. Each is one record, so it is wholly there or wholly absent.
struct ChunkModel {
    struct State: Hashable {
        var content: SimulatedContent?
        var acceptor = Acceptor()
    }

    /// A change as a client asks for it.
    enum Change: Hashable {
        case put(SimulatedContent, Acceptor.Accepted?)
        case delete
        case prepare(Ballot)
        case accept(Acceptor.Accepted, of: SimulatedContent)
    }

    /// What the store must answer when nothing fails.
    enum Answer: Hashable {
        case created, existing, conflict, rejected
        case deleted, notThere
        case granted, refused

        /// Whether it promises that something is durable.
        var isPromise: Bool { self == .existing || self == .notThere || self == .granted }
    }

    private(set) var live = State()
    private(set) var possible: [State] = [State()]
    /// Everything that was ever true or possible: what damage may bring back, if it is reported.
    private(set) var past: Set<State> = [State()]
    /// Asked for and not answered; the first is being made.
    private var queue: [(ticket: Int, change: Change)] = []
    private var ticketsGiven = 0
    /// What the first would make of the state, and what was possible before it.
    private var underWay: (answer: Answer, effects: [Effect], before: [State])?

    /// - Returns: by what the answer is to be told.
    mutating func ask(_ change: Change) -> Int {
        ticketsGiven += 1
        queue.append((ticketsGiven, change))
        if queue.count == 1 { begin(change) }
        return ticketsGiven
    }

    /// A change is answered.
    /// - Parameter answer: nil when it failed for the disk's sake, and may or may not have been made.
    /// - Returns: what is wrong with the answer.
    mutating func settle(_ ticket: Int, _ answer: Answer?) -> String? {
        guard let place = queue.firstIndex(where: { $0.ticket == ticket }) else { return "is answered twice" }
        let change = queue.remove(at: place).change
        guard place == 0 else { return answer.map { "\(change) is answered '\($0)' before its turn" } }
        guard let (expected, effects, before) = underWay else { return "is answered before it is begun" }
        underWay = nil
        defer { if let next = queue.first { begin(next.change) } }
        guard let answer else { return nil }
        guard answer == expected else { return "\(change) is answered '\(answer)', not '\(expected)'" }
        guard let effect = effects.first else {
            // Nothing had to be written, since what was asked for is so already: then a crash must not change it.
            if answer.isPromise { become(possible.filter { Self.predict(change, $0) == (answer, []) }) }
            return nil
        }
        live = effect.applied(to: live)
        become(before.flatMap { state in effects.map { $0.applied(to: state) } })
        return nil
    }

    /// The change that is being made needs a record.
    var isWriting: Bool { underWay.map { !$0.effects.isEmpty } ?? false }

    /// The store was opened again and holds `state`: from now on that is the truth.
    /// - Returns: whether it may.
    mutating func onReopened(_ state: State) -> Bool {
        guard possible.contains(state) else { return false }
        live = state
        become([state])
        queue = []
        underWay = nil
        return true
    }

    private mutating func begin(_ change: Change) {
        let (answer, effects) = Self.predict(change, live)
        underWay = (answer, effects, possible)
        become(possible + possible.flatMap { state in effects.map { $0.applied(to: state) } })
    }

    private mutating func become(_ states: [State]) {
        var seen: Set<State> = []
        possible = states.filter { seen.insert($0).inserted }
        past.formUnion(seen)
    }

    /// What a record changes; nil leaves things as they are.
    private struct Effect: Equatable {
        var content: SimulatedContent??
        var acceptor: Acceptor?

        func applied(to state: State) -> State {
            State(content: content ?? state.content, acceptor: acceptor ?? state.acceptor)
        }
    }

    /// The answer, and what the record says that is written for it; several when the store may choose.
    private static func predict(_ change: Change, _ live: State) -> (Answer, [Effect]) {
        var acceptor = live.acceptor
        switch change {
        case .put(let content, let acceptance):
            if let acceptance, acceptor.onAccept(acceptance.ballot, value: acceptance.value) != .accepted {
                return (.rejected, [])
            }
            let state = acceptance == nil ? nil : acceptor
            guard let stored = live.content else { return (.created, [Effect(content: content, acceptor: state)]) }
            guard stored == content else {
                // What is accepted takes the place of other bytes.
                return acceptance == nil ? (.conflict, []) : (.created, [Effect(content: content, acceptor: acceptor)])
            }
            return (.existing, acceptor == live.acceptor ? [] : [Effect(acceptor: acceptor)])
        case .delete:
            guard live.content != nil else { return (.notThere, []) }
            // The tombstone may repeat the acceptor's state.
            return (.deleted, [Effect(content: .some(nil)), Effect(content: .some(nil), acceptor: acceptor)])
        case .prepare(let ballot):
            guard case .promised = acceptor.onPrepare(ballot) else { return (.refused, []) }
        case .accept(let accepted, let content):
            guard live.content == content, acceptor.onAccept(accepted.ballot, value: accepted.value) == .accepted
            else { return (.refused, []) }
        }
        return (.granted, acceptor == live.acceptor ? [] : [Effect(acceptor: acceptor)])
    }
}

extension ChunkModel.Change: CustomStringConvertible {
    var description: String {
        switch self {
        case .put(let content, nil): "put \(content)"
        case .put(let content, let accepted?): "put \(content) and accept under \(accepted.ballot)"
        case .delete: "delete"
        case .prepare(let ballot): "prepare \(ballot)"
        case .accept(let accepted, let content): "accept \(content) under \(accepted.ballot)"
        }
    }
}
