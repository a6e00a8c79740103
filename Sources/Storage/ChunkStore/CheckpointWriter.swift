import Base
import Digests

/// Writes a checkpoint piece by piece to a temporary file, and puts it in the place of the last one when it is whole
/// and durable.
struct CheckpointWriter {
    private static let bufferBytes = ByteCount.mebibyte / 4

    private let files: CheckpointFiles
    private let file: any StoreFile
    private var buffer: [UInt8] = []
    private var offset = 0
    private var crc: UInt32 = 0
    private var entryCount = 0

    init(_ files: CheckpointFiles) throws(FileSystemError) {
        self.files = files
        file = try files.createTemporary()
        buffer.reserveCapacity(Self.bufferBytes + CheckpointFormat.Entry.byteCount)
    }

    mutating func append(_ entry: IndexEntry) throws(FileSystemError) {
        withUnsafeTemporaryAllocation(byteCount: CheckpointFormat.Entry.byteCount, alignment: 8) { bytes in
            CheckpointFormat.Entry.encode(entry, into: bytes, at: 0)
            buffer.append(contentsOf: bytes)
        }
        entryCount += 1
        if buffer.count >= Self.bufferBytes { try flush() }
    }

    /// Writes what stands behind the entries, and publishes the file.
    /// - Returns: its size.
    mutating func finish(
        store: StoreID, createdAt: Timestamp, nextSequence: UInt64, covered: [CheckpointFormat.Covered],
        lost: [UInt32], gone: [UInt32]
    ) throws(FileSystemError) -> Int {
        for superblock in covered {
            let start = buffer.count
            buffer.append(contentsOf: repeatElement(0, count: CheckpointFormat.Covered.byteCount))
            buffer.withUnsafeMutableBytes { superblock.encode(into: $0, at: start) }
        }
        for number in lost + gone { withUnsafeBytes(of: number.littleEndian) { buffer.append(contentsOf: $0) } }
        try flush()
        let trailer = CheckpointFormat.Trailer(
            store: store, createdAt: createdAt, nextSequence: nextSequence, entryCount: entryCount,
            superblockCount: covered.count, lostCount: lost.count, goneCount: gone.count, bodyCRC: crc)
        buffer = trailer.encoded()
        try flush()
        try file.synchronize()
        try files.publishTemporary()
        return offset
    }

    private mutating func flush() throws(FileSystemError) {
        let result = buffer.withUnsafeBytes { bytes in
            crc = CRC32C.checksum(bytes, continuing: crc)
            return Result<Void, FileSystemError> { () throws(FileSystemError) in try file.write(bytes, at: offset) }
        }
        try result.get()
        offset += buffer.count
        buffer.removeAll(keepingCapacity: true)
    }
}

/// Where a store keeps its checkpoint.
struct CheckpointFiles {
    let directory: String
    let fileSystem: any FileSystem

    private var path: String { "\(directory)/checkpoint" }
    private var temporaryPath: String { path + ".new" }

    func open() throws(FileSystemError) -> (any StoreFile)? { try fileSystem.openIfThere(path) }

    /// Forgets the checkpoint, durably: it would say what is not true any more.
    func remove() throws(FileSystemError) {
        guard try fileSystem.openIfThere(path) != nil else { return }
        try fileSystem.remove(path)
        try fileSystem.syncDirectory(directory)
    }

    func removeTemporary() throws(FileSystemError) {
        if try fileSystem.openIfThere(temporaryPath) != nil { try fileSystem.remove(temporaryPath) }
    }

    fileprivate func createTemporary() throws(FileSystemError) -> any StoreFile {
        let file = try fileSystem.open(temporaryPath, creating: true)
        try file.truncate(to: 0)
        return file
    }

    fileprivate func publishTemporary() throws(FileSystemError) {
        try fileSystem.rename(temporaryPath, to: path)
        try fileSystem.syncDirectory(directory)
    }
}
