import Base
import Digests

/// The first 16 bytes of an id's SHA-256: uniformly spread, and nobody can make ids that collide.
struct IndexKey: Hashable {
    let high: UInt64
    let low: UInt64

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

    var offset: Int { Int(offsetUnits) * RecordHeader.alignment }
    var idLength: Int { Int(idLengthByte) }
    var headLength: Int { RecordHeader.byteCount + Int(idLengthByte) + Int(metadataLengthShort) }
    var isTombstone: Bool { kindByte == RecordKind.tombstone.rawValue }
}

/// A hash table of ``IndexEntry``: open addressing, linear probing, at most 85 % full, grown by a quarter, so that an
/// entry costs 38 to 48 bytes.
///
/// Several entries may have the same key; the id in the record settles which is which. Owned by one place and used
/// under that place's lock.
struct ChunkIndex: ~Copyable, @unchecked Sendable {
    private static let capacityMin = 1024
    private static let loadMax = 0.85
    private static let growth = 1.25

    private(set) var count = 0
    private var slots: UnsafeMutableBufferPointer<IndexEntry>
    private var countMax: Int

    init() {
        slots = Self.makeSlots(Self.capacityMin)
        countMax = Int(Double(Self.capacityMin) * Self.loadMax)
    }

    deinit { slots.deallocate() }

    /// The `ordinal`-th entry of that key, counting from 0.
    func entry(_ key: IndexKey, ordinal: Int = 0) -> IndexEntry? {
        var remaining = ordinal
        var slot = home(key)
        while slots[slot].superblock != 0 {
            if slots[slot].key == key {
                if remaining == 0 { return slots[slot] }
                remaining -= 1
            }
            slot = next(slot)
        }
        return nil
    }

    mutating func insert(_ entry: IndexEntry) {
        if count >= countMax { grow() }
        place(entry)
        count += 1
    }

    /// Puts `new` where `old` is; both have the same key.
    mutating func replace(_ old: IndexEntry, with new: IndexEntry) {
        guard let slot = slot(of: old) else { preconditionFailure("an entry to replace is in the index") }
        slots[slot] = new
    }

    mutating func remove(_ entry: IndexEntry) {
        guard var hole = slot(of: entry) else { preconditionFailure("an entry to remove is in the index") }
        count -= 1
        // Entries behind the hole move up, so that no search ends early and no marker of a removed entry is needed.
        var candidate = next(hole)
        while slots[candidate].superblock != 0 {
            let distance = steps(from: home(slots[candidate].key), to: candidate)
            if distance >= steps(from: hole, to: candidate) {
                slots[hole] = slots[candidate]
                hole = candidate
            }
            candidate = next(candidate)
        }
        slots[hole] = Self.empty
    }

    /// Calls `body` for every entry; entries must not be added or removed meanwhile.
    func forEach(_ body: (IndexEntry) -> Void) {
        for entry in slots where entry.superblock != 0 { body(entry) }
    }

    /// Bytes that the table takes in memory.
    var residentBytes: Int { slots.count * MemoryLayout<IndexEntry>.stride }

    private static let empty = IndexEntry(emptySlot: ())

    private static func makeSlots(_ capacity: Int) -> UnsafeMutableBufferPointer<IndexEntry> {
        let slots = UnsafeMutableBufferPointer<IndexEntry>.allocate(capacity: capacity)
        slots.initialize(repeating: empty)
        return slots
    }

    /// Multiply-high spreads a uniform key over any capacity without a division.
    private func home(_ key: IndexKey) -> Int { Int(key.high.multipliedFullWidth(by: UInt64(slots.count)).high) }

    private func next(_ slot: Int) -> Int { slot + 1 == slots.count ? 0 : slot + 1 }

    private func steps(from: Int, to: Int) -> Int { to >= from ? to - from : to + slots.count - from }

    private func slot(of entry: IndexEntry) -> Int? {
        var slot = home(entry.key)
        while slots[slot].superblock != 0 {
            if slots[slot] == entry { return slot }
            slot = next(slot)
        }
        return nil
    }

    private func place(_ entry: IndexEntry) {
        var slot = home(entry.key)
        while slots[slot].superblock != 0 { slot = next(slot) }
        slots[slot] = entry
    }

    private mutating func grow() {
        let old = slots
        let capacity = Int(Double(old.count) * Self.growth)
        slots = Self.makeSlots(capacity)
        countMax = Int(Double(capacity) * Self.loadMax)
        for entry in old where entry.superblock != 0 { place(entry) }
        old.deallocate()
    }
}

extension IndexEntry {
    fileprivate init(emptySlot: Void) {
        key = IndexKey(high: 0, low: 0)
        (superblock, offsetUnits, payloadLength) = (0, 0, 0)
        (idLengthByte, kindByte, metadataLengthShort) = (0, 0, 0)
    }
}

extension ChunkID {
    /// The id's bytes, without an allocation.
    func withUTF8Bytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        var text = description
        return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }
}
