import Base
import ChunkPaxos

/// One thing that happened in a simulation, as JSON carries it and a person reads it.
package struct TraceEvent: Codable, Hashable, Sendable {
    package enum Kind: String, Codable, Sendable {
        /// A process begins something.
        case started
        /// A message arrived.
        case delivered
        /// A message did not, and why.
        case lost
        /// A record is on the disk for good.
        case synchronized
        case crashed, restarted, wiped, rotted, partitioned, healed
        /// A process waited in vain, or long enough.
        case timeout
        /// A clock jumped.
        case clock
        /// A value is chosen, seen from above: no process knows it yet.
        case chosen
        /// A process knows what is decided, and says so.
        case decided
        /// A process gave up, or has nothing left to do.
        case ended
        case violated
    }

    package let timeMicroseconds: Int
    package let kind: Kind
    /// Whose doing it is; of a message, who sent it.
    package let from: String?
    /// Who got the message, or should have.
    package let to: String?
    /// When the message was sent.
    package let sentMicroseconds: Int?
    package let message: TraceMessage?
    package let text: String

    /// One line of a trace.
    package var line: String {
        let (milliseconds, rest) = timeMicroseconds.quotientAndRemainder(dividingBy: 1000)
        let time = "\(milliseconds).\(String(1000 + rest).dropFirst())"
        let padding = String(repeating: " ", count: max(0, 9 - time.count))
        return "\(padding)\(time)  \(who)  \(text)"
    }

    private var who: String {
        let name = (from ?? "") + (to.map { " → \($0)" } ?? "")
        return name + String(repeating: " ", count: max(0, 22 - name.count))
    }
}

/// A message of the protocol, in words.
package struct TraceMessage: Codable, Hashable, Sendable {
    /// `prepare`, `accept`, `read`, `install`; `promised`, `accepted`, `rejected`, `state`, `installed`, `superseded`,
    /// `foreign`.
    package let type: String
    /// Of the instance that is asked about; in `superseded`, the one the acceptor is in.
    package let version: UInt32
    /// The ballot the message is about.
    package var ballot: String?
    /// The value that is proposed.
    package var value: String?
    /// What the acceptor says of itself.
    package var promised: String?
    package var acceptedBallot: String?
    package var acceptedValue: String?

    package var text: String {
        var text = "\(type) @\(version)"
        if let ballot { text += " \(ballot)" }
        if let value { text += " = \(value)" }
        if let promised { text += ", promised \(promised)" }
        if let acceptedBallot, let acceptedValue { text += ", accepted \(acceptedValue) under \(acceptedBallot)" }
        return text
    }
}

/// What an acceptor has on its disk.
package struct AcceptorSnapshot: Codable, Hashable, Sendable {
    package let node: String
    package let identity: AcceptorID
    package let isUp: Bool
    /// Of the instance it votes in; nil when it knows of none.
    package let version: UInt32?
    package let promised: String?
    package let acceptedBallot: String?
    package let acceptedValue: String?
}

/// How far a process is that asks acceptors.
package struct ClientSnapshot: Codable, Hashable, Sendable {
    package let name: String
    package let isUp: Bool
    /// `idle`, `creating`, `preparing`, `accepting`, `learning`, `installing`, `waiting` (to try again), `ended`.
    package let phase: String
    package let ballot: String?
    /// What it proposes where nothing was accepted before.
    package let value: String?
    /// What it knows to be decided.
    package let decided: String?
}

/// A step and what it left behind.
package struct TraceStep: Codable, Hashable, Sendable {
    package let event: TraceEvent
    package let acceptors: [AcceptorSnapshot]
    package let clients: [ClientSnapshot]
    /// Chosen values by version, seen from above.
    package let chosen: [String]
}

/// Takes down what happens, where somebody wants to know.
struct Recorder {
    /// Whether each event comes with all states.
    let keepsStates: Bool
    private(set) var events: [TraceEvent] = []
    private(set) var steps: [TraceStep] = []

    mutating func add(_ event: TraceEvent, states: () -> TraceStep) {
        if keepsStates { steps.append(states()) } else { events.append(event) }
    }
}
