import Base
import ChunkPaxos

/// What lies in a store's directory, as ``StoreInspector`` found it.
package struct StoreReport: Encodable, Sendable {
    package struct SuperblockReport: Encodable, Sendable {
        package let number: UInt32
        package fileprivate(set) var sizeBytes = 0
        /// Of records that count: chunks that can be read, and acceptors' states.
        package fileprivate(set) var liveBytes = 0
        /// Of records that do not count any more: replaced, deleted, tombstones, void.
        package fileprivate(set) var deadBytes = 0
        package fileprivate(set) var damagedBytes = 0
        package fileprivate(set) var chunkRecords = 0
        package fileprivate(set) var tombstoneRecords = 0
        package fileprivate(set) var acceptorRecords = 0
        package fileprivate(set) var voidRecords = 0
        package fileprivate(set) var removalRecords = 0

        package var recordCount: Int {
            chunkRecords + tombstoneRecords + acceptorRecords + voidRecords + removalRecords
        }
    }

    package enum DamageKind: String, Encodable, Sendable {
        /// The file's headers cannot be read, so nothing in it can.
        case superblock
        /// The file is missing, and no record says that it was removed.
        case lost
        /// No record can be read in a stretch.
        case stretch
        /// A record's payload is not what was stored.
        case payload
        /// An earlier run found it damaged; it is not served.
        case quarantined
    }

    package struct Damage: Encodable, Sendable, Equatable {
        package let kind: DamageKind
        package let superblock: UInt32
        package let offset: Int
        package let sizeBytes: Int
        /// nil where it is not known.
        package let chunk: ChunkID?
        /// Whether the chunk is lost on this node by it; false when another record of it counts, or none.
        package let isCurrent: Bool
        package let detail: String
    }

    package let store: String
    /// A node has the directory open: what it writes now may look unfinished.
    package let isInUse: Bool
    /// Whether payloads were compared with their checksums, or only heads were read.
    package let isVerified: Bool
    package internal(set) var chunkCount = 0
    package internal(set) var chunkBytes = 0
    package internal(set) var superblocks: [SuperblockReport] = []
    package internal(set) var damage: [Damage] = []
    /// Bytes of writes that a crash cut off; the next start clears them away.
    package internal(set) var unfinishedBytes = 0
    /// When the scrubber last came to the log's end.
    package internal(set) var lastScrubFinishedAt: Timestamp?

    package var isWhole: Bool { damage.isEmpty }
    package var recordCount: Int { superblocks.reduce(0) { $0 + $1.recordCount } }
    package var sizeBytes: Int { superblocks.reduce(0) { $0 + $1.sizeBytes } }
    package var liveBytes: Int { superblocks.reduce(0) { $0 + $1.liveBytes } }
    package var deadBytes: Int { superblocks.reduce(0) { $0 + $1.deadBytes } }
}

extension StoreReport.SuperblockReport {
    init(number: UInt32, sizeBytes: Int) {
        self.number = number
        self.sizeBytes = sizeBytes
    }

    /// Every record is dead until ``countLive(_:)`` says otherwise.
    mutating func count(_ header: RecordHeader) {
        deadBytes += header.length
        switch header.kind {
        case .chunk: chunkRecords += 1
        case .tombstone: tombstoneRecords += 1
        case .acceptorState: acceptorRecords += 1
        case .void: voidRecords += 1
        case .removal: removalRecords += 1
        }
    }

    mutating func countLive(_ byteCount: Int) {
        liveBytes += byteCount
        deadBytes -= byteCount
    }

    mutating func countDamaged(_ byteCount: Int) { damagedBytes += byteCount }
}

/// One record about a chunk.
package struct RecordReport: Encodable, Sendable {
    package let superblock: UInt32
    package let offset: Int
    /// `chunk`, `tombstone` or `acceptor_state`.
    package let kind: String
    package let sequence: UInt64
    package let storedAt: Timestamp
    package let sizeBytes: Int
    package let checksum: SHA256Digest
    package let promisedBallot: Ballot?
    package let acceptedBallot: Ballot?
    /// Whether the chunk is read from it.
    package let isCurrentChunk: Bool
    /// Whether it says what the acceptor promised and accepted.
    package let isCurrentState: Bool
    package let isWhole: Bool
}
