import Base
import Digests

/// A chunk of the journal: a piece of a record, with a header that says of which record and where in it.
/// `docs/formats/catalog-journal.md` has the layout; the numbers here are the same.
///
/// Invariant: a record is put together only from all its parts, and only when it has the checksum that each names.
struct JournalPart: Equatable {
    static let headerByteCount = 64
    /// Parts of one record; more is no record of ours.
    static let countMax = 4096

    private static let magic = Array("VSTKJRNL".utf8)
    private static let version: UInt32 = 1

    let index: Int
    let count: Int
    /// Of the whole record.
    let recordBytes: Int
    let recordChecksum: SHA256Digest
    let payload: ArraySlice<UInt8>

    /// - Parameter chunkBytesMax: what a chunk may have.
    /// - Throws: ``Failure`` when the record needs more than ``countMax`` chunks.
    static func split(_ record: [UInt8], chunkBytesMax: Int) throws(Failure) -> [JournalPart] {
        let payloadMax = max(1, chunkBytesMax - headerByteCount)
        let count = max(1, (record.count + payloadMax - 1) / payloadMax)
        guard count <= countMax else {
            throw Failure(.tooLarge, "a record of \(record.count) bytes does not fit into \(countMax) chunks")
        }
        let checksum = SHA256.digest(of: record)
        return (0..<count).map { index in
            JournalPart(
                index: index, count: count, recordBytes: record.count, recordChecksum: checksum,
                payload: record[index * payloadMax..<min(record.count, (index + 1) * payloadMax)])
        }
    }

    /// The record that these are all the parts of, in order; nil when they are not.
    static func join(_ parts: [JournalPart]) -> [UInt8]? {
        guard let first = parts.first, parts.count == first.count else { return nil }
        let isOneRecord = parts.enumerated().allSatisfy { index, part in
            part.index == index && part.count == first.count && part.recordChecksum == first.recordChecksum
        }
        let record = parts.flatMap(\.payload)
        guard isOneRecord, record.count == first.recordBytes, SHA256.digest(of: record) == first.recordChecksum else {
            return nil
        }
        return record
    }

    var encoded: [UInt8] {
        var bytes = Self.magic
        for number in [Self.version, UInt32(index), UInt32(count), 0] { Self.append(number, to: &bytes) }
        Self.append(UInt64(recordBytes), to: &bytes)
        recordChecksum.withUnsafeBytes { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: payload)
        return bytes
    }

    private static func append(_ number: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }
}

extension JournalPart {
    /// - Throws: ``Failure`` (corrupt) when the bytes are no part of a record, or of a newer format.
    init(decoding bytes: [UInt8]) throws(Failure) {
        guard bytes.count >= Self.headerByteCount, bytes.starts(with: Self.magic) else {
            throw Failure(.corrupt, "its bytes are no record of a journal")
        }
        func number<Number: FixedWidthInteger>(_ type: Number.Type, at offset: Int) -> Number {
            bytes.withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: type)) }
        }
        guard number(UInt32.self, at: 8) == Self.version else {
            throw Failure(.corrupt, "it was written by a newer V-Stack; upgrade this program")
        }
        let checksum = bytes[32..<64].withUnsafeBytes { SHA256Digest(bytes: $0) }
        let (index, count) = (Int(number(UInt32.self, at: 12)), Int(number(UInt32.self, at: 16)))
        guard let checksum, (1...Self.countMax).contains(count), index < count,
            let recordBytes = Int(exactly: number(UInt64.self, at: 24))
        else { throw Failure(.corrupt, "its header makes no sense") }
        self.init(
            index: index, count: count, recordBytes: recordBytes, recordChecksum: checksum,
            payload: bytes[Self.headerByteCount...])
    }
}
