import ChunkPaxos

/// A node's log about one chunk: what is synchronized stays, what is only written may be lost, torn or kept, each write
/// for itself, when the node dies.
struct SimulatedDisk {
    /// What a record says: the acceptor as it was left by one answer.
    struct Record {
        let configuration: Configuration?
        let vote: Acceptor

        init(_ acceptor: ChunkAcceptor) {
            configuration = acceptor.configuration
            vote = acceptor.vote
        }
    }

    /// The latest synchronized record; nil when there is none.
    private(set) var durable: Record?
    private var beforeDurable: Record?
    private var unsynchronized: [Record] = []

    mutating func write(_ record: Record) { unsynchronized.append(record) }

    /// Everything written is there for good.
    mutating func synchronize() {
        for record in unsynchronized { keep(record) }
        unsynchronized = []
    }

    /// What becomes of one unsynchronized write.
    enum Fate: String {
        case kept, lost, torn
    }

    /// The power fails. Opening the log finds a torn record by its checksum and takes it for a hole, so that it is as
    /// good as lost; what it finds whole it synchronizes.
    /// - Returns: the fates, in the order of the writes.
    mutating func crash(_ fate: () -> Fate) -> [Fate] {
        let fates = unsynchronized.map { _ in fate() }
        for (record, fate) in zip(unsynchronized, fates) where fate == .kept { keep(record) }
        unsynchronized = []
        return fates
    }

    /// The last synchronized record rots.
    mutating func rot() { durable = beforeDurable }

    private mutating func keep(_ record: Record) {
        beforeDurable = durable
        durable = record
    }
}
