import Base
import Digests

/// A checkpoint as it was read: intact, and of this store. Whether it still fits the log is for ``OpenedLog`` to see.
struct Checkpoint: ~Copyable {
    let nextSequence: UInt64
    let createdAt: Timestamp
    let covered: [CheckpointFormat.Covered]
    /// Superblocks that were missing already.
    let lost: [UInt32]
    /// Superblocks whose files are waste, if they are there.
    let gone: [UInt32]
    var indexes: Indexes

    /// Where the newest records of all ids are.
    struct Indexes: ~Copyable {
        var chunks: ChunkIndex
        var acceptors = ChunkIndex()
    }

    /// A multiple of an entry's bytes.
    private static let pieceBytes = ByteCount.mebibyte

    /// nil when the file is not a whole, intact checkpoint of `store`.
    init?(_ file: any StoreFile, store: StoreID) {
        typealias Format = CheckpointFormat
        guard let size = try? file.size(), size >= Format.Trailer.byteCount,
            let end = try? file.read(Format.Trailer.byteCount, at: size - Format.Trailer.byteCount),
            let trailer = Format.Trailer(end), trailer.store == store,
            trailer.bodyBytes == size - Format.Trailer.byteCount
        else { return nil }
        let entryBytes = trailer.entryCount * Format.Entry.byteCount
        guard let tables = try? file.read(trailer.bodyBytes - entryBytes, at: entryBytes),
            tables.count == trailer.bodyBytes - entryBytes, let covered = Self.covered(tables, trailer)
        else { return nil }
        var indexes = Indexes(chunks: ChunkIndex(expectedCount: trailer.entryCount))
        var crc: UInt32 = 0
        let ends = Dictionary(covered.map { ($0.number, $0.end) }, uniquingKeysWith: max)
        for offset in stride(from: 0, to: entryBytes, by: Self.pieceBytes) {
            let count = min(Self.pieceBytes, entryBytes - offset)
            guard let piece = try? file.read(count, at: offset), piece.count == count else { return nil }
            crc = piece.withUnsafeBytes { CRC32C.checksum($0, continuing: crc) }
            guard Self.insert(piece, ends, &indexes) else { return nil }
        }
        crc = tables.withUnsafeBytes { CRC32C.checksum($0, continuing: crc) }
        guard crc == trailer.bodyCRC else { return nil }
        self.covered = covered
        self.indexes = indexes
        let numbers = Self.numbers(tables, trailer)
        (lost, gone) = (Array(numbers.prefix(trailer.lostCount)), Array(numbers.suffix(trailer.goneCount)))
        (nextSequence, createdAt) = (trailer.nextSequence, trailer.createdAt)
    }

    private static func covered(_ tables: [UInt8], _ trailer: CheckpointFormat.Trailer) -> [CheckpointFormat.Covered]? {
        tables.withUnsafeBytes { bytes in
            var covered: [CheckpointFormat.Covered] = []
            for index in 0..<trailer.superblockCount {
                let offset = index * CheckpointFormat.Covered.byteCount
                guard let superblock = CheckpointFormat.Covered(bytes, at: offset) else { return nil }
                covered.append(superblock)
            }
            return covered
        }
    }

    private static func numbers(_ tables: [UInt8], _ trailer: CheckpointFormat.Trailer) -> [UInt32] {
        tables.withUnsafeBytes { bytes in
            let start = trailer.superblockCount * CheckpointFormat.Covered.byteCount
            return stride(from: start, to: bytes.count, by: CheckpointFormat.numberBytes).map {
                bytes.littleEndian(UInt32.self, at: $0)
            }
        }
    }

    /// False when an entry is none, or names what the checkpoint does not cover.
    private static func insert(
        _ piece: [UInt8], _ ends: [UInt32: Int], _ indexes: inout Indexes
    ) -> Bool {
        piece.withUnsafeBytes { bytes in
            for offset in stride(from: 0, to: bytes.count, by: CheckpointFormat.Entry.byteCount) {
                guard let entry = CheckpointFormat.Entry.decode(bytes, at: offset), let end = ends[entry.superblock],
                    entry.offset >= SuperblockHeader.recordsOffset, entry.offset + entry.recordLength <= end
                else { return false }
                if entry.isChunk { indexes.chunks.insert(entry) } else { indexes.acceptors.insert(entry) }
            }
            return true
        }
    }
}
