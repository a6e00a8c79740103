import Base
import Digests

/// The bytes of a checkpoint: entries, superblocks, lost and gone numbers, and a trailer that vouches for all of them.
/// `docs/formats/checkpoint.md` has the layout; the numbers here are the same.
enum CheckpointFormat {
    static let version: UInt32 = 1
    static let magic = Array("VSTKCKPT".utf8)
    /// Of a superblock in a list.
    static let numberBytes = 4

    /// Fails when somebody changed a field without changing the format.
    static func assertLayout() {
        precondition(Entry.byteCount == 32 && Covered.byteCount == 80 && Trailer.byteCount == 72)
    }

    /// One index entry. Its kind says which index: a chunk's is that of the chunks, any other's that of the acceptors.
    enum Entry {
        static let byteCount = kind + 1

        private static let high = 0
        private static let low = high + 8
        private static let superblock = low + 8
        private static let offsetUnits = superblock + 4
        private static let payloadLength = offsetUnits + 4
        private static let metadataLength = payloadLength + 4
        private static let idLength = metadataLength + 2
        private static let kind = idLength + 1

        static func encode(_ entry: IndexEntry, into output: UnsafeMutableRawBufferPointer, at offset: Int) {
            output.storeLittleEndian(entry.key.high, at: offset + high)
            output.storeLittleEndian(entry.key.low, at: offset + low)
            output.storeLittleEndian(entry.superblock, at: offset + superblock)
            output.storeLittleEndian(UInt32(entry.offset / RecordHeader.alignment), at: offset + offsetUnits)
            output.storeLittleEndian(entry.payloadLength, at: offset + payloadLength)
            output.storeLittleEndian(UInt16(entry.metadataLength), at: offset + metadataLength)
            output.storeLittleEndian(UInt8(entry.idLength), at: offset + idLength)
            output.storeLittleEndian(entry.rawKind, at: offset + kind)
        }

        /// nil when it is none.
        static func decode(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> IndexEntry? {
            let rawKind = bytes.littleEndian(UInt8.self, at: offset + kind)
            let idLength = Int(bytes.littleEndian(UInt8.self, at: offset + idLength))
            let metadataLength = Int(bytes.littleEndian(UInt16.self, at: offset + metadataLength))
            guard let kind = RecordKind(rawValue: rawKind),
                kind == .chunk || kind == .tombstone || kind == .acceptorState,
                (1...ChunkID.lengthMax).contains(idLength), metadataLength <= RecordHeader.metadataBytesMax
            else { return nil }
            return IndexEntry(
                key: IndexKey(
                    high: bytes.littleEndian(UInt64.self, at: offset + high),
                    low: bytes.littleEndian(UInt64.self, at: offset + low)),
                superblock: bytes.littleEndian(UInt32.self, at: offset + superblock),
                offsetUnits: bytes.littleEndian(UInt32.self, at: offset + offsetUnits),
                payloadLength: bytes.littleEndian(UInt32.self, at: offset + payloadLength), idLength: idLength,
                metadataLength: metadataLength, kind: kind)
        }
    }

    /// A superblock, and how far of it the checkpoint speaks.
    struct Covered: Equatable {
        static let byteCount = Field.end

        let number: UInt32
        let salt: UInt64
        /// Everything before it is in the checkpoint: the index says what of it counts.
        let end: Int
        /// Where a record before `end` begins, and the CRC in its head; 0 when none is known.
        let witnessOffset: Int
        let witnessCRC: UInt32
        var usage: SuperblockUsage

        private enum Field {
            static let number = 0
            static let corruptRecords = number + 4
            static let salt = corruptRecords + 4
            static let coveredEnd = salt + 8
            static let witnessOffset = coveredEnd + 8
            static let witnessCRC = witnessOffset + 8
            static let reserved = witnessCRC + 4
            static let tombstoneBytes = reserved + 4
            static let tombstoneSequenceMax = tombstoneBytes + 8
            static let deadSequenceMin = tombstoneSequenceMax + 8
            static let removalBytes = deadSequenceMin + 8
            static let corruptBytes = removalBytes + 8
            static let end = corruptBytes + 8
        }
    }

    /// The end of the file: whose it is, how much stands before, and the checksum of that.
    struct Trailer: Equatable {
        static let byteCount = Field.end

        let store: StoreID
        let createdAt: Timestamp
        /// No record that the checkpoint covers has it, or a higher one.
        let nextSequence: UInt64
        let entryCount: Int
        let superblockCount: Int
        /// Superblocks that are missing though nothing removed them.
        let lostCount: Int
        /// Superblocks that compaction removed, or was about to: a file that is there is waste.
        let goneCount: Int
        /// CRC-32C of everything before the trailer.
        let bodyCRC: UInt32

        var bodyBytes: Int {
            entryCount * Entry.byteCount + superblockCount * Covered.byteCount
                + (lostCount + goneCount) * numberBytes
        }

        private enum Field {
            static let magic = 0
            static let version = magic + 8
            static let superblockCount = version + 4
            static let store = superblockCount + 4
            static let createdAt = store + 16
            static let nextSequence = createdAt + 8
            static let entryCount = nextSequence + 8
            static let lostCount = entryCount + 8
            static let goneCount = lostCount + 4
            static let bodyCRC = goneCount + 4
            static let crc = bodyCRC + 4
            static let end = crc + 4
        }
    }
}

extension CheckpointFormat.Covered {
    func encode(into output: UnsafeMutableRawBufferPointer, at offset: Int) {
        output.storeLittleEndian(number, at: offset + Field.number)
        output.storeLittleEndian(UInt32(clamping: usage.corruptRecords), at: offset + Field.corruptRecords)
        output.storeLittleEndian(salt, at: offset + Field.salt)
        output.storeLittleEndian(UInt64(end), at: offset + Field.coveredEnd)
        output.storeLittleEndian(UInt64(witnessOffset), at: offset + Field.witnessOffset)
        output.storeLittleEndian(witnessCRC, at: offset + Field.witnessCRC)
        output.storeLittleEndian(UInt32(0), at: offset + Field.reserved)
        output.storeLittleEndian(UInt64(usage.tombstoneBytes), at: offset + Field.tombstoneBytes)
        output.storeLittleEndian(usage.tombstoneSequenceMax, at: offset + Field.tombstoneSequenceMax)
        output.storeLittleEndian(usage.deadSequenceMin, at: offset + Field.deadSequenceMin)
        output.storeLittleEndian(UInt64(usage.removalBytes), at: offset + Field.removalBytes)
        output.storeLittleEndian(UInt64(usage.corruptBytes), at: offset + Field.corruptBytes)
    }

    /// nil when the numbers make no sense.
    init?(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        func count(_ field: Int) -> Int? {
            // Far more than a superblock can have; sums of them do not overflow.
            let value = bytes.littleEndian(UInt64.self, at: offset + field)
            return value <= 1 << 40 ? Int(value) : nil
        }
        guard let end = count(Field.coveredEnd), let witnessOffset = count(Field.witnessOffset),
            let tombstoneBytes = count(Field.tombstoneBytes), let removalBytes = count(Field.removalBytes),
            let corruptBytes = count(Field.corruptBytes), end >= SuperblockHeader.recordsOffset
        else { return nil }
        number = bytes.littleEndian(UInt32.self, at: offset + Field.number)
        salt = bytes.littleEndian(UInt64.self, at: offset + Field.salt)
        (self.end, self.witnessOffset) = (end, witnessOffset)
        witnessCRC = bytes.littleEndian(UInt32.self, at: offset + Field.witnessCRC)
        usage = SuperblockUsage()
        usage.end = end
        usage.lastRecordOffset = witnessOffset
        usage.onTombstone(
            length: tombstoneBytes, sequence: bytes.littleEndian(UInt64.self, at: offset + Field.tombstoneSequenceMax))
        usage.onDeadChunk(bytes.littleEndian(UInt64.self, at: offset + Field.deadSequenceMin))
        usage.removalBytes = removalBytes
        usage.corruptRecords = Int(bytes.littleEndian(UInt32.self, at: offset + Field.corruptRecords))
        usage.corruptBytes = corruptBytes
    }
}

extension CheckpointFormat.Trailer {
    func encoded() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.byteCount)
        bytes.withUnsafeMutableBytes { output in
            output.copyBytes(from: CheckpointFormat.magic)
            output.storeLittleEndian(CheckpointFormat.version, at: Field.version)
            output.storeLittleEndian(UInt32(superblockCount), at: Field.superblockCount)
            UnsafeMutableRawBufferPointer(rebasing: output[Field.store..<Field.createdAt]).copyBytes(from: store.bytes)
            output.storeLittleEndian(UInt64(bitPattern: createdAt.nanoseconds), at: Field.createdAt)
            output.storeLittleEndian(nextSequence, at: Field.nextSequence)
            output.storeLittleEndian(UInt64(entryCount), at: Field.entryCount)
            output.storeLittleEndian(UInt32(lostCount), at: Field.lostCount)
            output.storeLittleEndian(UInt32(goneCount), at: Field.goneCount)
            output.storeLittleEndian(bodyCRC, at: Field.bodyCRC)
            let crc = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: output[..<Field.crc]))
            output.storeLittleEndian(crc, at: Field.crc)
        }
        return bytes
    }

    /// nil when the bytes are no intact trailer of this format.
    init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount, bytes.starts(with: CheckpointFormat.magic) else { return nil }
        let parsed = bytes.withUnsafeBytes { input -> Self? in
            let crc = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: input[..<Field.crc]))
            let entryCount = input.littleEndian(UInt64.self, at: Field.entryCount)
            guard crc == input.littleEndian(UInt32.self, at: Field.crc),
                input.littleEndian(UInt32.self, at: Field.version) == CheckpointFormat.version, entryCount <= 1 << 40
            else { return nil }
            return Self(
                store: StoreID(bytes: Array(input[Field.store..<Field.createdAt])),
                createdAt: Timestamp(
                    nanoseconds: Int64(bitPattern: input.littleEndian(UInt64.self, at: Field.createdAt))),
                nextSequence: input.littleEndian(UInt64.self, at: Field.nextSequence), entryCount: Int(entryCount),
                superblockCount: Int(input.littleEndian(UInt32.self, at: Field.superblockCount)),
                lostCount: Int(input.littleEndian(UInt32.self, at: Field.lostCount)),
                goneCount: Int(input.littleEndian(UInt32.self, at: Field.goneCount)),
                bodyCRC: input.littleEndian(UInt32.self, at: Field.bodyCRC))
        }
        guard let parsed else { return nil }
        self = parsed
    }
}
