import Base
import Digests

/// The first 16 bytes of an id's SHA-256: uniformly spread, and nobody can make ids that collide.
struct IndexKey: Hashable, Comparable {
    let high: UInt64
    let low: UInt64

    static func < (a: IndexKey, b: IndexKey) -> Bool { (a.high, a.low) < (b.high, b.low) }

    init(_ id: ChunkID) {
        let digest = id.withUTF8Bytes { SHA256.digest(short: $0) }
        (high, low) = digest.prefix
    }

    init(idBytes: UnsafeRawBufferPointer) { (high, low) = SHA256.digest(short: idBytes).prefix }

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// Where the newest record of an id is. 32 bytes, no references.
struct IndexEntry: Equatable {
    let key: IndexKey
    /// From 1; 0 is an empty slot.
    let superblock: UInt32
    /// The record's offset in units of 64 bytes.
    private let offsetUnits: UInt32
    let payloadLength: UInt32
    private let idLengthByte: UInt8
    private let kindByte: UInt8
    private let metadataLengthShort: UInt16

    init(key: IndexKey, header: RecordHeader) {
        self.key = key
        superblock = header.place.superblock
        offsetUnits = UInt32(header.place.offset / RecordHeader.alignment)
        payloadLength = UInt32(header.payloadLength)
        idLengthByte = UInt8(header.idLength)
        kindByte = header.kind.rawValue
        metadataLengthShort = UInt16(header.metadataLength)
    }

    /// - Parameters:
    ///   - offsetUnits: the record's offset in units of 64 bytes.
    ///   - idLength: at most 64.
    ///   - metadataLength: at most 4096.
    init(
        key: IndexKey, superblock: UInt32, offsetUnits: UInt32, payloadLength: UInt32, idLength: Int,
        metadataLength: Int, kind: RecordKind
    ) {
        self.key = key
        self.superblock = superblock
        self.offsetUnits = offsetUnits
        self.payloadLength = payloadLength
        idLengthByte = UInt8(idLength)
        kindByte = kind.rawValue
        metadataLengthShort = UInt16(metadataLength)
    }

    /// All zeros.
    init(emptySlot: Void) {
        key = IndexKey(high: 0, low: 0)
        (superblock, offsetUnits, payloadLength) = (0, 0, 0)
        (idLengthByte, kindByte, metadataLengthShort) = (0, 0, 0)
    }

    var isEmpty: Bool { superblock == 0 }
    var offset: Int { Int(offsetUnits) * RecordHeader.alignment }
    var idLength: Int { Int(idLengthByte) }
    var headLength: Int { RecordHeader.byteCount + Int(idLengthByte) + Int(metadataLengthShort) }
    var isTombstone: Bool { kindByte == RecordKind.tombstone.rawValue }
    var isChunk: Bool { kindByte == RecordKind.chunk.rawValue }
    var rawKind: UInt8 { kindByte }
    var metadataLength: Int { Int(metadataLengthShort) }
    /// The whole record with its padding.
    var recordLength: Int {
        RecordHeader.length(
            idLength: Int(idLengthByte), metadataLength: Int(metadataLengthShort), payloadLength: Int(payloadLength))
    }

    /// Whether the record stands there.
    func isAt(_ place: RecordPlace) -> Bool { superblock == place.superblock && offset == place.offset }
}

extension ChunkID {
    /// The id's bytes, without an allocation.
    func withUTF8Bytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        var text = description
        return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }
}
