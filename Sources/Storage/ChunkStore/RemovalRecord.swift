import Base

/// The record that says which superblocks compaction removed. It makes a missing superblock with its number legitimate,
/// and one that is still there, because a crash came first, waste.
struct RemovalRecord {
    /// What one record holds; more need another.
    static let rangesMax = RecordHeader.metadataBytesMax / bytesPerRange

    private static let bytesPerRange = 8

    let reservation: Reservation
    let numbers: RangeSet<UInt32>
    let storedAt: Timestamp

    static func length(_ numbers: RangeSet<UInt32>) -> Int {
        RecordHeader.length(
            idLength: 0, metadataLength: numbers.ranges.count * bytesPerRange, payloadLength: 0)
    }

    /// The ranges cut into as many sets as need a record each.
    static func split(_ numbers: RangeSet<UInt32>) -> [RangeSet<UInt32>] {
        let ranges = Array(numbers.ranges)
        return stride(from: 0, to: ranges.count, by: rangesMax).map {
            RangeSet(ranges[$0..<min($0 + rangesMax, ranges.count)])
        }
    }

    func encoded() -> [UInt8] {
        var metadata: [UInt8] = []
        for range in numbers.ranges {
            withUnsafeBytes(of: range.lowerBound.littleEndian) { metadata.append(contentsOf: $0) }
            withUnsafeBytes(of: (range.upperBound - 1).littleEndian) { metadata.append(contentsOf: $0) }
        }
        let header = RecordHeader(
            kind: .removal, idLength: 0, metadataLength: metadata.count, payloadLength: 0,
            sequence: reservation.sequence, durableOffset: reservation.durableOffset, storedAt: storedAt,
            promised: nil, acceptedBallot: nil, payloadCRC: 0, checksum: RecordHeader.checksumOfNothing,
            place: reservation.place)
        var bytes = [UInt8](repeating: 0, count: header.length)
        bytes.replaceSubrange(RecordHeader.byteCount..<RecordHeader.byteCount + metadata.count, with: metadata)
        bytes.withUnsafeMutableBytes { header.encode(into: $0) }
        return bytes
    }

    /// The numbers in a removal record's metadata; nothing when it makes no sense.
    static func decode(_ metadata: [UInt8]) -> RangeSet<UInt32> {
        guard metadata.count % bytesPerRange == 0 else { return RangeSet() }
        return metadata.withUnsafeBytes { bytes in
            let ranges = stride(from: 0, to: bytes.count, by: bytesPerRange).map {
                (bytes.littleEndian(UInt32.self, at: $0), bytes.littleEndian(UInt32.self, at: $0 + 4))
            }
            guard ranges.allSatisfy({ $0 <= $1 && $1 < .max }) else { return RangeSet() }
            return RangeSet(ranges.map { $0..<$1 + 1 })
        }
    }
}

extension Superblock {
    /// What a removal record of this superblock says is gone.
    func removedNumbers(_ header: RecordHeader) -> RangeSet<UInt32> {
        withHead(at: header.place.offset, length: header.headLength) {
            RemovalRecord.decode(header.metadata(in: $0))
        } ?? RangeSet()
    }
}
