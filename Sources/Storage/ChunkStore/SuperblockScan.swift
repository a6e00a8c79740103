import Base
import Digests

/// Reads a superblock from its beginning to its end and says what is in it. The log is the truth: this is how a store
/// comes to know what it holds.
///
/// Where no valid record begins, the scan goes on to the next one, in steps of 64 bytes. What lies between is
/// - `corrupt` when it begins before an offset that some record knew to be durable, or when the disk does not give it:
///   something was there, and may have been acknowledged;
/// - `torn` otherwise: a write that was never finished.
///
/// Records beyond every such offset are the last group before the end: their payloads are read and compared. The rest
/// is compared whenever it is read.
struct SuperblockScan {
    /// Beyond every offset known to be durable, in ascending order, with valid records after it.
    private(set) var holes: [Range<Int>] = []
    private(set) var corrupt: [Range<Int>] = []
    /// Where the last valid record ends; what follows is torn, or zeros.
    private(set) var end = SuperblockHeader.recordsOffset
    /// How far records say that the file is durable.
    private(set) var announcedEnd = SuperblockHeader.recordsOffset
    /// The part behind `end` cannot be read: nothing may be written there.
    private(set) var endIsUnreadable = false
    /// An unfinished write stands behind `end`.
    private(set) var hasTornEnd = false
    private(set) var largestSequence: UInt64 = 0

    private let superblock: Superblock
    private let size: Int
    private let isSealed: Bool
    /// Valid heads whose payload no durable offset covers yet, in ascending order.
    private var uncovered: [(header: RecordHeader, key: IndexKey?)] = []
    private var gaps: [(range: Range<Int>, isReadable: Bool)] = []

    /// Records that this program does not know.
    struct NewerVersion: Error {
        let version: UInt8
    }

    /// - Parameters:
    ///   - isSealed: nothing is written behind the end any more. Where something will be, a marker there must be read
    ///     from the disk too: what follows it will say that it was durable.
    ///   - settle: makes the file durable as it is and drops it from the cache from an offset on; called when there is
    ///     something that no record vouches for, before that is read again from the disk.
    ///   - onRecord: is called for every valid record that is about a chunk, in no promised order.
    init(
        _ superblock: Superblock, size: Int, isSealed: Bool, settle: (_ offset: Int) throws -> Void,
        onRecord: (RecordHeader, IndexKey) -> Void
    ) throws {
        self.superblock = superblock
        self.isSealed = isSealed
        self.size = min(size, superblock.mapping.bytes.count)
        var offset = SuperblockHeader.recordsOffset
        while offset + RecordHeader.byteCount <= self.size {
            if let (header, key) = try record(at: offset) {
                take(header, key, onRecord)
                offset += header.length
            } else {
                let (next, isReadable) = try nextRecord(after: offset)
                gaps.append((offset..<(next ?? self.size), isReadable))
                offset = next ?? self.size
            }
        }
        if offset < self.size { gaps.append((offset..<self.size, true)) }
        if !uncovered.isEmpty || !gaps.isEmpty { try settle(uncovered.first?.header.place.offset ?? self.size) }
        try settleUncovered(onRecord)
        settleGaps()
    }

    private func record(at offset: Int) throws(NewerVersion) -> (RecordHeader, IndexKey?)? {
        let fixed = superblock.withHead(at: offset, length: RecordHeader.byteCount) { RecordHeader.headLength(of: $0) }
        guard let headLength = fixed ?? nil, offset + headLength <= size else { return nil }
        let decoded = superblock.withHead(at: offset, length: headLength) { head in
            (RecordHeader.decode(head, at: superblock.place(offset)), Self.key(head))
        }
        switch decoded {
        case (.header(let header), let key)? where offset + header.length <= size: return (header, key)
        case (.newerVersion(let version), _)?: throw NewerVersion(version: version)
        default: return nil
        }
    }

    private static func key(_ head: UnsafeRawBufferPointer) -> IndexKey? {
        RecordHeader.idBytes(in: head).map { IndexKey(idBytes: $0) }
    }

    private mutating func take(
        _ header: RecordHeader, _ key: IndexKey?, _ onRecord: (RecordHeader, IndexKey) -> Void
    ) {
        largestSequence = max(largestSequence, header.sequence)
        end = header.place.offset + header.length
        uncovered.append((header, key))
        announcedEnd = max(announcedEnd, isSealed && header.isMarker ? end : header.durableOffset)
        guard let last = uncovered.lastIndex(where: { $0.header.place.offset + $0.header.length <= announcedEnd })
        else { return }
        for (header, key) in uncovered[...last] { if let key { onRecord(header, key) } }
        uncovered.removeSubrange(...last)
    }

    private mutating func settleUncovered(_ onRecord: (RecordHeader, IndexKey) -> Void) throws(NewerVersion) {
        var lastValid = announcedEnd
        for (header, key) in uncovered {
            let range = header.place.offset..<header.place.offset + header.length
            let isStillThere = try record(at: range.lowerBound)?.0 == header
            if isStillThere, header.kind == .void || superblock.payloadIsIntact(header) {
                lastValid = max(lastValid, range.upperBound)
                if header.isMarker { announcedEnd = max(announcedEnd, range.upperBound) }
                if let key { onRecord(header, key) }
            } else {
                gaps.append((range, CRC32C.checksum(mapped: superblock.payload(header)) != nil))
            }
        }
        end = lastValid
        uncovered = []
    }

    private mutating func settleGaps() {
        for (range, isReadable) in gaps.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
            // Between two records, where no record can have stood: the rest of a place that was given back after a
            // write that failed, and still came to the disk, while what was written there next did not.
            if isReadable, range.upperBound < end, range.count < RecordHeader.byteCount { continue }
            if range.lowerBound < announcedEnd || !isReadable {
                corrupt.append(range)
                if range.lowerBound >= end { endIsUnreadable = true }
            } else if range.lowerBound < end {
                holes.append(range)
            } else if beginsWithData(range) {
                hasTornEnd = true
            }
        }
        gaps = []
    }

    /// Space that was reserved ahead reads as zeros.
    private func beginsWithData(_ range: Range<Int>) -> Bool {
        let length = min(range.count, RecordHeader.byteCount)
        return superblock.withHead(at: range.lowerBound, length: length) { $0.contains { $0 != 0 } } ?? true
    }

    /// The next valid record behind `offset`, and whether everything up to it could be read.
    private func nextRecord(after offset: Int) throws(NewerVersion) -> (offset: Int?, isReadable: Bool) {
        var isReadable = true
        var offset = offset
        while offset + RecordHeader.byteCount <= size {
            let block = offset..<min(size, (offset / Self.blockBytes + 1) * Self.blockBytes)
            if let candidates = candidates(in: block) {
                for candidate in candidates where try record(at: candidate) != nil { return (candidate, isReadable) }
            } else {
                isReadable = false
            }
            offset = block.upperBound
        }
        return (nil, isReadable)
    }

    /// A page: what a failing disk refuses at once.
    private static let blockBytes = 4096

    /// Where in the block a record may begin; nil when the disk does not give it.
    private func candidates(in block: Range<Int>) -> [Int]? {
        superblock.withHead(at: block.lowerBound, length: block.count) { bytes in
            stride(from: 0, to: block.count - 3, by: RecordHeader.alignment)
                .filter { RecordHeader.mayBegin(bytes, at: $0) }.map { block.lowerBound + $0 }
        }
    }
}

extension RecordHeader {
    /// A void record without payload that says that all before it is durable: it vouches for itself too, since nothing
    /// of it needs to be compared.
    fileprivate var isMarker: Bool { kind == .void && payloadLength == 0 && durableOffset == place.offset }
}
