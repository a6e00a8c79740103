import Base
import ChunkPaxos

/// A storage node of a simulation: a disk, and the acceptor that was read from it.
struct SimulatedNode {
    let id: NodeID
    var identity: AcceptorID
    var disk = SimulatedDisk()
    var acceptor: ChunkAcceptor
    var isUp = true
    /// Its log has lost a record: it has no vote, and only shows what it accepted.
    var isDamaged = false
    /// Grows with every crash, so that what belonged to an earlier life is known.
    var incarnation = 0
    /// The answer that waits for its record to be synchronized.
    var unsaid: (question: Request, reply: ChunkAcceptor.Reply)?
    /// Requests that wait behind it.
    var waiting: [Request] = []
    /// The highest promise that was ever answered under this identity.
    var told: (version: UInt32, ballot: Ballot)?

    var own: Membership.Member { Membership.Member(id, identity) }

    /// A request of a client, and where its answer goes.
    struct Request {
        let client: Int
        let incarnation: Int
        let survey: Int
        let ballot: Ballot?
        let request: ChunkAcceptor.Request
    }

    init(number: Int, identity: AcceptorID) {
        guard let id = NodeID("n\(number)") else { preconditionFailure("n and a number are a node id") }
        self.id = id
        self.identity = identity
        acceptor = ChunkAcceptor(own: Membership.Member(id, identity))
    }
}
