import Base

/// A superblock after a restart: read, mended, and durable as far as it goes.
///
/// What was written before a crash may still be only in the kernel's memory, or may never have come to the disk after
/// a failed synchronization. Where no record vouches for the last records, the file is therefore synchronized, the
/// cache dropped, and the file read again from the disk before anything in it counts.
struct RecoveredSuperblock {
    let corrupt: [Range<Int>]
    let tornCount: Int
    let largestSequence: UInt64
    /// Superblocks that this one says were removed, and the bytes that say so.
    let removed: RangeSet<UInt32>
    let removalBytes: Int
    /// Where the last record begins, if it is one that was read; 0 otherwise.
    let lastRecordOffset: Int
    let end: Int
    /// Where writing goes on; nil when nothing may be written behind the end.
    let tail: LogTail?

    /// - Parameters:
    ///   - start: where reading begins; everything before is known already and durable.
    ///   - isSealed: nothing will be written to it any more, so that a marker must vouch for its last records now.
    ///   - capacity: size that the superblock may reach when it is written on.
    ///   - records: learns what the superblock says.
    init(
        _ superblock: Superblock, from start: Int = SuperblockHeader.recordsOffset, isSealed: Bool, capacity: Int,
        now: Timestamp, records: inout LogReplay
    ) throws {
        let file = superblock.file
        let size = try file.size()
        do {
            let scan = try SuperblockScan(superblock, from: start, size: size) { offset in
                try file.synchronize()
                file.dropCache(from: offset, mapping: superblock.mapping)
            } onRecord: {
                records.apply($0, $1)
            }
            for hole in scan.holes { try Self.fill(hole, superblock, scan, now) }
            let isCut = !scan.endIsUnreadable && size > scan.end
            if isCut { try file.truncate(to: scan.end) }
            if isCut || !scan.holes.isEmpty { try file.synchronize() }
            let isVouchedFor = scan.announcedEnd >= scan.end || scan.endIsUnreadable
            let marker = isSealed && !isVouchedFor ? try Self.writeMarker(superblock, at: scan.end, now) : nil
            corrupt = scan.corrupt
            tornCount = scan.holes.count + (scan.hasTornEnd ? 1 : 0)
            largestSequence = scan.largestSequence
            (removed, removalBytes) = (scan.removed, scan.removalBytes)
            lastRecordOffset = marker?.lowerBound ?? scan.lastRecordOffset
            end = marker?.upperBound ?? scan.end
            let tail = LogTail(
                capacity: capacity, end: scan.end, allocated: scan.end, announcedEnd: scan.announcedEnd,
                lastDurableOffset: scan.lastRecordOffset)
            self.tail = scan.endIsUnreadable ? nil : tail
        } catch let error as SuperblockScan.NewerVersion {
            throw ChunkStoreError(
                .unreadable,
                "the chunk store cannot be opened: superblock \(superblock.number) has records of format "
                    + "\(error.version), which only a newer version of this program reads")
        }
    }

    /// - Returns: nil when there is no room for it: the next opening tries again.
    private static func writeMarker(_ superblock: Superblock, at end: Int, _ now: Timestamp) throws -> Range<Int>? {
        let range = end..<end + RecordHeader.byteCount
        let marker = VoidRecord(
            superblock: superblock, range: range, sequence: 0, durableOffset: end, storedAt: now)
        guard (try? marker.write()) != nil else { return nil }
        try superblock.file.synchronize()
        return range
    }

    /// Covers a torn write by a void record, so that the next recovery does not take it for damage.
    private static func fill(
        _ hole: Range<Int>, _ superblock: Superblock, _ scan: SuperblockScan, _ now: Timestamp
    ) throws {
        try VoidRecord(
            superblock: superblock, range: hole, sequence: 0,
            durableOffset: min(scan.announcedEnd, hole.lowerBound), storedAt: now
        ).write()
    }
}

/// A record that says nothing about any chunk: fills `range`, or only says how far the file is durable.
struct VoidRecord {
    let superblock: Superblock
    let range: Range<Int>
    let sequence: UInt64
    let durableOffset: Int
    let storedAt: Timestamp

    /// Only the header is written; what lies behind it stays as it is.
    func write() throws(FileSystemError) {
        let header = RecordHeader(
            kind: .void, idLength: 0, metadataLength: 0, payloadLength: range.count - RecordHeader.byteCount,
            sequence: sequence, durableOffset: durableOffset, storedAt: storedAt, promised: nil, acceptedBallot: nil,
            payloadCRC: 0, checksum: RecordHeader.checksumOfNothing, place: superblock.place(range.lowerBound))
        let result = withUnsafeTemporaryAllocation(byteCount: RecordHeader.byteCount, alignment: 16) { bytes in
            header.encode(into: bytes)
            return Result<Void, FileSystemError> { () throws(FileSystemError) in
                try superblock.file.write(UnsafeRawBufferPointer(bytes), at: range.lowerBound)
            }
        }
        try result.get()
    }
}
