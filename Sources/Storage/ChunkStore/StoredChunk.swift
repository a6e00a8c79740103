import Base
import ChunkPaxos

/// What is known of a chunk without reading its bytes.
package struct ChunkDescription: Hashable, Sendable {
    package let sizeBytes: Int
    package let checksum: SHA256Digest
    /// Number of the superblock that holds it.
    package let superblock: UInt32
    package let storedAt: Timestamp

    init(_ header: RecordHeader) {
        sizeBytes = header.payloadLength
        checksum = header.checksum
        superblock = header.place.superblock
        storedAt = header.storedAt
    }
}

/// A chunk whose bytes were read and found intact just now.
package struct StoredChunk: Sendable {
    package let description: ChunkDescription
    /// The bytes as they lie in the mapped superblock, valid for as long as the region is kept.
    package let bytes: MemoryRegion
}

/// What became of a write.
package enum PutOutcome: Hashable, Sendable {
    /// The chunk is new, and durable.
    case created(ChunkDescription)
    /// The same bytes were there, and are durable.
    case existing(ChunkDescription)

    package var description: ChunkDescription {
        switch self {
        case .created(let description), .existing(let description): description
        }
    }
}

/// A chunk's acceptor and the bytes beside it, as they are on the disk.
package struct AcceptorView: Hashable, Sendable {
    /// Who decides the instance that the acceptor votes in; nil before the first message that left something.
    package let configuration: Configuration?
    /// Its vote there.
    package let acceptor: Acceptor
    /// nil when the node holds no bytes of that id.
    package let chunk: ChunkDescription?

    init(_ state: AcceptorState, _ chunk: ChunkDescription?) {
        configuration = state.configuration
        acceptor = state.vote
        self.chunk = chunk
    }
}

/// An acceptor's answer to a message; its new state is durable.
package struct AcceptorOutcome: Hashable, Sendable {
    package let reply: ChunkAcceptor.Reply
    package let view: AcceptorView

    package var isGranted: Bool {
        switch reply {
        case .answered(.promised), .answered(.accepted), .installed, .state: true
        case .answered(.rejected), .superseded, .foreign: false
        }
    }
}

/// The size and checksum that a value says its chunk has.
package struct BytesClaim: Hashable, Sendable {
    package let checksum: SHA256Digest
    package let sizeBytes: Int

    package init(checksum: SHA256Digest, sizeBytes: Int) {
        self.checksum = checksum
        self.sizeBytes = sizeBytes
    }

    func isMet(by chunk: ChunkDescription?) -> Bool { chunk?.checksum == checksum && chunk?.sizeBytes == sizeBytes }
}

/// What an acceptor is to accept along with a chunk's bytes.
package struct Acceptance: Hashable, Sendable {
    package let configuration: Configuration
    package let accepted: Acceptor.Accepted

    package init(_ configuration: Configuration, _ accepted: Acceptor.Accepted) {
        self.configuration = configuration
        self.accepted = accepted
    }

    var request: ChunkAcceptor.Request {
        ChunkAcceptor.Request(configuration, .accept(accepted.ballot, value: accepted.value))
    }

    /// The state that it leaves behind when it is granted.
    var state: AcceptorState {
        AcceptorState(
            configuration: configuration, vote: Acceptor(promised: accepted.ballot, accepted: accepted))
    }
}

/// How a store came to know what it holds.
package enum OpeningMode: String, Sendable {
    /// There was nothing.
    case created
    /// From a checkpoint and what was written after it.
    case checkpoint
    /// By reading the whole log.
    case scan
}

/// Figures of a store.
package struct ChunkStoreStatistics: Hashable, Sendable {
    package var chunkCount = 0
    /// Payload bytes of the chunks that are not deleted.
    package var chunkBytes = 0
    package var superblockCount = 0
    /// Memory that the index takes.
    package var indexBytes = 0
    /// Bytes of records that are needed, and of those that are not and that compaction may win back.
    package var liveBytes = 0
    package var deadBytes = 0
    /// Superblocks that compaction removed since opening, and the bytes that it copied for that.
    package var compactions = 0
    package var compactionBytesMoved = 0
    /// Why compaction or a checkpoint did not go on the last time; nil when all is well.
    package var upkeepFailure: String?
    /// When the last checkpoint was written, and its size; nil when there is none.
    package var checkpointedAt: Timestamp?
    package var checkpointBytes = 0
    /// How the store was opened, and how long that took.
    package var openingMode = OpeningMode.created
    package var openingSeconds = 0.0
    /// Stretches of the log that are known to be damaged, and their bytes. A lost superblock counts as one.
    package var corruptRecords = 0
    package var corruptRecordBytes = 0
    /// Superblocks that are missing though compaction did not remove them.
    package var lostSuperblocks = 0
    /// Unfinished writes that opening found and cleared away.
    package var tornRecords = 0
    /// Chunks whose record is damaged, and that are not served.
    package var corruptChunks = 0
    /// Synchronizations of the disk since opening.
    package var synchronizations = 0
    /// The disk refused a write for want of space, and no other has been possible since.
    package var isDiskFull = false
    /// Why nothing can be written any more; nil when all is well.
    package var readOnlyReason: String?

    package init() {}
}
