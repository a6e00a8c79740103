import Base
import ChunkPaxos
import Digests

/// What a record of the log says.
enum RecordKind: UInt8 {
    /// A chunk's bytes, and what its acceptor accepted with them.
    case chunk = 1
    /// The chunk is deleted. Carries the acceptor's state on, which outlives the bytes.
    case tombstone = 2
    /// The acceptor's state after a prepare or an accept.
    case acceptorState = 3
    /// Nothing: fills a hole, or, without payload, only tells how far the file is durable.
    case void = 4
    /// Compaction removed these superblocks: that they are missing is no loss.
    case removal = 5
}

/// The fixed part of a record. `docs/formats/superblock.md` has the layout; the numbers here are the same.
struct RecordHeader: Equatable {
    static let byteCount = 128
    /// Records and their payloads begin at multiples of it.
    static let alignment = 64
    static let metadataBytesMax = 4096
    /// No header, id and metadata together are larger.
    static let headBytesMax = byteCount + ChunkID.lengthMax + metadataBytesMax
    static let version: UInt8 = 1
    static let magic: UInt32 = 0x4345_5256  // "VREC"

    /// What a record without payload has for a checksum.
    static let checksumOfNothing = SHA256.digest(of: [])

    let kind: RecordKind
    let idLength: Int
    /// Of the accepted value and the configuration together.
    let metadataLength: Int
    /// How much at the metadata's end is the acceptor's configuration.
    var configurationLength = 0
    let payloadLength: Int
    /// Place in the order of everything the store ever wrote: of two records about one id the higher counts. A copy
    /// made by compaction keeps the number.
    let sequence: UInt64
    /// Everything before this offset of the same file was durable when the record was written.
    let durableOffset: Int
    let storedAt: Timestamp
    let promised: Ballot?
    /// The ballot under which the value in the metadata was accepted.
    let acceptedBallot: Ballot?
    let payloadCRC: UInt32
    /// SHA-256 of the payload; of no bytes when there is none.
    let checksum: SHA256Digest
    let place: RecordPlace

    /// Whether the record says what the acceptor has promised or accepted.
    var bearsAcceptorState: Bool { promised != nil || acceptedBallot != nil || configurationLength > 0 }

    /// Header, id and metadata: what the header's CRC covers.
    var headLength: Int { Self.byteCount + idLength + metadataLength }
    /// From the record's beginning.
    var payloadOffset: Int { Self.payloadOffset(idLength: idLength, metadataLength: metadataLength) }
    /// The whole record with its padding.
    var length: Int { Self.length(idLength: idLength, metadataLength: metadataLength, payloadLength: payloadLength) }

    static func payloadOffset(idLength: Int, metadataLength: Int) -> Int {
        aligned(byteCount + idLength + metadataLength)
    }

    static func length(idLength: Int, metadataLength: Int, payloadLength: Int) -> Int {
        payloadOffset(idLength: idLength, metadataLength: metadataLength) + aligned(payloadLength)
    }

    static func aligned(_ length: Int) -> Int { (length + alignment - 1) & ~(alignment - 1) }
}

/// Where a record stands. The header repeats it, so that bytes which came to another place are not taken for a record.
struct RecordPlace: Equatable {
    let superblock: UInt32
    let salt: UInt64
    let offset: Int
}

extension RecordHeader {
    /// Byte offsets of the fields, little-endian. Each follows the one before.
    private enum Field {
        static let magic = 0
        static let headCRC = magic + 4
        static let version = headCRC + 4
        static let kind = version + 1
        static let flags = kind + 1
        static let idLength = flags + 2
        static let metadataLength = idLength + 2
        static let payloadLength = metadataLength + 2
        static let superblock = payloadLength + 4
        static let sequence = superblock + 4
        static let durableOffset = sequence + 8
        static let storedAt = durableOffset + 8
        static let promisedProposer = storedAt + 8
        static let acceptedProposer = promisedProposer + 8
        static let promisedRound = acceptedProposer + 8
        static let acceptedRound = promisedRound + 4
        static let checksum = acceptedRound + 4
        static let payloadCRC = checksum + 32
        static let configurationLength = payloadCRC + 4
        static let salt = configurationLength + 4
        static let offset = salt + 8
        static let end = offset + 8
    }

    /// The head's CRC covers everything from here to the metadata's end.
    private static let coveredOffset = Field.version
    private static let promisedFlag: UInt16 = 1
    private static let acceptedFlag: UInt16 = 2

    /// Fails when somebody changed a field without changing the format: 8 more bytes would make every file unreadable.
    static func assertLayout() {
        precondition(Field.end == byteCount && Field.sequence % 8 == 0 && Field.salt % 8 == 0)
    }

    /// Writes the header at the buffer's beginning. Id and metadata must already stand behind it: its CRC covers them.
    func encode(into output: UnsafeMutableRawBufferPointer) {
        output.storeLittleEndian(Self.magic, at: Field.magic)
        output.storeLittleEndian(Self.version, at: Field.version)
        output.storeLittleEndian(kind.rawValue, at: Field.kind)
        let flags = (promised == nil ? 0 : Self.promisedFlag) | (acceptedBallot == nil ? 0 : Self.acceptedFlag)
        output.storeLittleEndian(flags, at: Field.flags)
        output.storeLittleEndian(UInt16(idLength), at: Field.idLength)
        output.storeLittleEndian(UInt16(metadataLength), at: Field.metadataLength)
        output.storeLittleEndian(UInt32(payloadLength), at: Field.payloadLength)
        output.storeLittleEndian(place.superblock, at: Field.superblock)
        output.storeLittleEndian(sequence, at: Field.sequence)
        output.storeLittleEndian(UInt64(durableOffset), at: Field.durableOffset)
        output.storeLittleEndian(UInt64(bitPattern: storedAt.nanoseconds), at: Field.storedAt)
        output.storeLittleEndian(promised?.proposer ?? 0, at: Field.promisedProposer)
        output.storeLittleEndian(acceptedBallot?.proposer ?? 0, at: Field.acceptedProposer)
        output.storeLittleEndian(promised?.round ?? 0, at: Field.promisedRound)
        output.storeLittleEndian(acceptedBallot?.round ?? 0, at: Field.acceptedRound)
        checksum.withUnsafeBytes {
            UnsafeMutableRawBufferPointer(rebasing: output[Field.checksum..<Field.payloadCRC]).copyMemory(from: $0)
        }
        output.storeLittleEndian(payloadCRC, at: Field.payloadCRC)
        output.storeLittleEndian(UInt32(configurationLength), at: Field.configurationLength)
        output.storeLittleEndian(place.salt, at: Field.salt)
        output.storeLittleEndian(UInt64(place.offset), at: Field.offset)
        output.storeLittleEndian(Self.headCRC(UnsafeRawBufferPointer(output), headLength), at: Field.headCRC)
    }

    private static func headCRC(_ bytes: UnsafeRawBufferPointer, _ headLength: Int) -> UInt32 {
        CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[coveredOffset..<headLength]))
    }

    /// The CRC that a header carries.
    static func headCRC(of header: UnsafeRawBufferPointer) -> UInt32 {
        header.littleEndian(UInt32.self, at: Field.headCRC)
    }

    /// Whether a record may begin here: a cheap look before decoding.
    static func mayBegin(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        bytes.littleEndian(UInt32.self, at: offset) == magic
    }

    /// How many bytes header, id and metadata have, if `bytes` (at least a header) looks like a record at all.
    static func headLength(of bytes: UnsafeRawBufferPointer) -> Int? {
        guard mayBegin(bytes, at: 0) else { return nil }
        let idLength = Int(bytes.littleEndian(UInt16.self, at: Field.idLength))
        let metadataLength = Int(bytes.littleEndian(UInt16.self, at: Field.metadataLength))
        guard idLength <= ChunkID.lengthMax, metadataLength <= metadataBytesMax else { return nil }
        return byteCount + idLength + metadataLength
    }

    /// The id behind a header; nil when there is none.
    static func idBytes(in head: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let length = Int(head.littleEndian(UInt16.self, at: Field.idLength))
        guard length > 0, byteCount + length <= head.count else { return nil }
        return UnsafeRawBufferPointer(rebasing: head[byteCount..<byteCount + length])
    }

    /// What bytes that may be anything turned out to be.
    enum Decoded {
        case header(RecordHeader)
        /// Whole, and of a format that this program does not know.
        case newerVersion(UInt8)
        case damaged
    }

    /// - Parameter head: header, id and metadata, as long as ``headLength(of:)`` says.
    static func decode(_ head: UnsafeRawBufferPointer, at place: RecordPlace) -> Decoded {
        guard headLength(of: head) == head.count,
            head.littleEndian(UInt32.self, at: Field.headCRC) == headCRC(head, head.count),
            RecordPlace(
                superblock: head.littleEndian(UInt32.self, at: Field.superblock),
                salt: head.littleEndian(UInt64.self, at: Field.salt),
                offset: Int(truncatingIfNeeded: head.littleEndian(UInt64.self, at: Field.offset))) == place
        else { return .damaged }
        let version = head.littleEndian(UInt8.self, at: Field.version)
        guard version == Self.version else { return .newerVersion(version) }
        guard let header = RecordHeader(fields: head, place: place) else { return .damaged }
        return .header(header)
    }

    private init?(fields head: UnsafeRawBufferPointer, place: RecordPlace) {
        let flags = head.littleEndian(UInt16.self, at: Field.flags)
        func ballot(_ flag: UInt16, round: Int, proposer: Int) -> Ballot? {
            guard flags & flag != 0 else { return nil }
            return Ballot(
                round: head.littleEndian(UInt32.self, at: round), proposer: head.littleEndian(UInt64.self, at: proposer)
            )
        }
        let digest = SHA256Digest(bytes: UnsafeRawBufferPointer(rebasing: head[Field.checksum..<Field.payloadCRC]))
        guard let kind = RecordKind(rawValue: head.littleEndian(UInt8.self, at: Field.kind)), let digest,
            let durableOffset = Int(exactly: head.littleEndian(UInt64.self, at: Field.durableOffset)),
            durableOffset <= place.offset,
            let configurationLength = Int(exactly: head.littleEndian(UInt32.self, at: Field.configurationLength)),
            configurationLength <= Int(head.littleEndian(UInt16.self, at: Field.metadataLength))
        else { return nil }
        self.init(
            kind: kind, idLength: Int(head.littleEndian(UInt16.self, at: Field.idLength)),
            metadataLength: Int(head.littleEndian(UInt16.self, at: Field.metadataLength)),
            configurationLength: configurationLength,
            payloadLength: Int(head.littleEndian(UInt32.self, at: Field.payloadLength)),
            sequence: head.littleEndian(UInt64.self, at: Field.sequence), durableOffset: durableOffset,
            storedAt: Timestamp(nanoseconds: Int64(bitPattern: head.littleEndian(UInt64.self, at: Field.storedAt))),
            promised: ballot(Self.promisedFlag, round: Field.promisedRound, proposer: Field.promisedProposer),
            acceptedBallot: ballot(Self.acceptedFlag, round: Field.acceptedRound, proposer: Field.acceptedProposer),
            payloadCRC: head.littleEndian(UInt32.self, at: Field.payloadCRC), checksum: digest, place: place)
    }
}
