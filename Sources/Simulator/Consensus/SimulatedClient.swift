import Base
import ChunkPaxos

/// A process of a simulation that asks acceptors: a creator, a proposer, one that moves the chunk, or a reader.
struct SimulatedClient {
    enum Work {
        case nothing
        case creating(Creator)
        case proposing(Proposer)
        case learning(Learner)
        case installing
        case ended
    }

    enum Timer {
        /// Whoever has not answered by then is given up.
        case answers
        /// Then it tries again.
        case retry
    }

    let name: String
    let role: Plan.Role
    var isUp = true
    /// Grows with every crash, so that answers to an earlier life are known.
    var incarnation = 0
    var work = Work.nothing
    /// What it works in.
    var configuration: Configuration
    /// Its proposer number.
    var number: UInt64 = 0
    /// The number of the value it would propose.
    var value = 0
    var decided: [UInt8]?
    /// The open question's ballot.
    var ballot: Ballot?
    var question = Proposer.Question.prepare
    /// Who has granted the open question, or answered it, by their place in the membership.
    var granted: Checker.Members = 0
    var answered: Checker.Members = 0
    var backoff = SimulatedClient.backoff
    var attempts = 0
    /// Grows with every survey, so that answers to an earlier one are known.
    var survey = 0
    /// Nodes that are no holders any more when its move is done.
    var leaving: [NodeID] = []
    var timer = Timer.answers
    /// Grows with every timer that is set, so that one that was replaced is known.
    var timerNumber = 0
    var deadlineMicroseconds = 0
    /// Whether the versions, by number, had been acknowledged when the survey began.
    var acknowledgedBefore: [Bool] = []

    static let backoff = Backoff(unit: .milliseconds(4))

    var hasEnded: Bool { if case .ended = work { true } else { false } }

    var phase: String {
        switch work {
        case .nothing: "idle"
        case .ended: "ended"
        case _ where timer == .retry: "waiting"
        case .creating: "creating"
        case .proposing: question == .prepare ? "preparing" : "accepting"
        case .learning: "learning"
        case .installing: "installing"
        }
    }
}
