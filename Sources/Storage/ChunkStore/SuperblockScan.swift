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
    /// Where the last valid record begins; 0 when there is none.
    private(set) var lastRecordOffset = 0
    /// What removal records say is gone, and how many bytes they have.
    private(set) var removed = RangeSet<UInt32>()
    private(set) var removalBytes = 0

    private let superblock: Superblock
    private let size: Int
    /// Valid heads whose payload no durable offset covers yet, in ascending order.
    private var uncovered: [(header: RecordHeader, key: IndexKey?)] = []
    private var gaps: [(range: Range<Int>, isReadable: Bool)] = []

    /// Records that this program does not know.
    struct NewerVersion: Error {
        let version: UInt8
    }

    /// - Parameters:
    ///   - start: where a record begins, everything before which is known already and durable.
    ///   - settle: makes the file durable as it is and drops it from the cache from an offset on; called when there is
    ///     something that no record vouches for, before that is read again from the disk.
    ///   - onRecord: is called for every valid record that is about a chunk, in no promised order.
    init(
        _ superblock: Superblock, from start: Int = SuperblockHeader.recordsOffset, size: Int,
        settle: (_ offset: Int) throws -> Void, onRecord: (RecordHeader, IndexKey) -> Void
    ) throws {
        self.superblock = superblock
        self.size = min(size, superblock.mapping.bytes.count)
        (end, announcedEnd) = (start, start)
        var offset = start
        while offset + RecordHeader.byteCount <= self.size {
            if let (header, key) = try superblock.record(at: offset, size: self.size) {
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

    private mutating func take(
        _ header: RecordHeader, _ key: IndexKey?, _ onRecord: (RecordHeader, IndexKey) -> Void
    ) {
        largestSequence = max(largestSequence, header.sequence)
        end = header.place.offset + header.length
        uncovered.append((header, key))
        announcedEnd = max(announcedEnd, header.durableOffset)
        guard let last = uncovered.lastIndex(where: { $0.header.place.offset + $0.header.length <= announcedEnd })
        else { return }
        for (header, key) in uncovered[...last] { emit(header, key, onRecord) }
        uncovered.removeSubrange(...last)
    }

    /// The record counts.
    private mutating func emit(_ header: RecordHeader, _ key: IndexKey?, _ onRecord: (RecordHeader, IndexKey) -> Void) {
        lastRecordOffset = max(lastRecordOffset, header.place.offset)
        if header.kind == .removal {
            removed.formUnion(superblock.removedNumbers(header))
            removalBytes += header.length
        } else if let key {
            onRecord(header, key)
        }
    }

    private mutating func settleUncovered(_ onRecord: (RecordHeader, IndexKey) -> Void) throws(NewerVersion) {
        var lastValid = announcedEnd
        for (header, key) in uncovered {
            let range = header.place.offset..<header.place.offset + header.length
            let isStillThere = try superblock.record(at: range.lowerBound, size: size)?.0 == header
            if isStillThere, header.kind == .void || superblock.payloadIsIntact(header) {
                lastValid = max(lastValid, range.upperBound)
                // It vouches for itself too, now that it comes from the disk: what is written behind it, and a
                // checkpoint, will count on it.
                if header.isMarker { announcedEnd = max(announcedEnd, range.upperBound) }
                emit(header, key, onRecord)
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
                for candidate in candidates where try superblock.record(at: candidate, size: size) != nil {
                    return (candidate, isReadable)
                }
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
    /// A void record without payload that says that all before it is durable.
    fileprivate var isMarker: Bool { kind == .void && payloadLength == 0 && durableOffset == place.offset }
}
