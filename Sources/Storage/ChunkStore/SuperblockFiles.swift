import Base
import Digests

/// The files of the log: finds, opens and creates them.
struct SuperblockFiles {
    let directory: String
    let options: ChunkStore.Options
    let fileSystem: any FileSystem

    /// Size that a superblock may reach: the configured one, and never too little for a single record.
    var capacity: Int {
        let record = RecordHeader.length(
            idLength: ChunkID.lengthMax, metadataLength: RecordHeader.metadataBytesMax,
            payloadLength: options.chunkBytesMax)
        return max(options.superblockBytesMax, SuperblockHeader.recordsOffset + record + LogTail.closingBytes)
    }

    /// Where writing begins in a new superblock.
    var emptyTail: LogTail {
        let end = SuperblockHeader.recordsOffset
        return LogTail(capacity: capacity, end: end, allocated: end, announcedEnd: end)
    }

    /// Numbers of the superblocks there are, ascending. Files that a crash left half made are removed.
    func numbers() throws(FileSystemError) -> [UInt32] {
        var numbers: [UInt32] = []
        for name in try fileSystem.names(in: folder) {
            if let number = Superblock.number(inFileName: name) {
                numbers.append(number)
            } else if name.hasSuffix(Self.temporarySuffix) {
                try fileSystem.remove("\(folder)/\(name)")
            }
        }
        return numbers.sorted()
    }

    func open(_ number: UInt32) throws -> (superblock: Superblock, owner: StoreID) {
        let file = try fileSystem.open(path(number), creating: false)
        let header = try readHeader(number, file)
        let mapping = try file.map(byteCount: max(try file.size(), capacity))
        return (superblock(number, header.salt, file, mapping), header.store)
    }

    /// The same superblock with a mapping of its own: what was touched through the old one is let go with that.
    func mappedAnew(_ superblock: Superblock) throws(FileSystemError) -> Superblock {
        let mapping = try superblock.file.map(byteCount: max(try superblock.file.size(), capacity))
        return self.superblock(superblock.number, superblock.salt, superblock.file, mapping)
    }

    /// A new, empty superblock: complete and durable under another name before it gets its own.
    func create(_ number: UInt32, store: StoreID) throws(FileSystemError) -> Superblock {
        let salt = options.randomBytes(8).withUnsafeBytes { $0.littleEndian(UInt64.self, at: 0) }
        let header = SuperblockHeader(number: number, store: store, createdAt: options.time.now(), salt: salt)
        let temporary = path(number) + Self.temporarySuffix
        let file = try fileSystem.open(temporary, creating: true)
        try file.truncate(to: 0)
        try write(header.encodedFile(), to: file)
        try file.synchronize()
        try fileSystem.rename(temporary, to: path(number))
        try fileSystem.syncDirectory(folder)
        let mapping = try file.map(byteCount: capacity)
        return superblock(number, header.salt, file, mapping)
    }

    private func superblock(
        _ number: UInt32, _ salt: UInt64, _ file: any StoreFile, _ mapping: any FileMapping
    ) -> Superblock {
        Superblock(
            number: number, salt: salt, file: file, mapping: mapping, checksPayloads: !options.has(.skipsPayloadCRC))
    }

    /// Gives the superblock's space back, durably. Whoever has it mapped keeps what is mapped.
    func remove(_ number: UInt32) throws(FileSystemError) {
        try fileSystem.remove(path(number))
        try fileSystem.syncDirectory(folder)
    }

    /// Makes a file that lost its end as long as it was, and vouches for that, so that the log itself tells the loss.
    func restoreLength(of number: UInt32, to end: Int) throws {
        let (superblock, _) = try open(number)
        guard try superblock.file.size() < end else { return }
        try superblock.file.truncate(to: end)
        try VoidRecord(
            superblock: superblock, range: end..<end + RecordHeader.byteCount, sequence: 0, durableOffset: end,
            storedAt: options.time.now()
        ).write()
        try superblock.file.synchronize()
    }

    /// Whether the file has room for no record: left over from a store that was never finished.
    func isUnused(_ number: UInt32) throws(FileSystemError) -> Bool {
        try fileSystem.open(path(number), creating: false).size() <= SuperblockHeader.recordsOffset
    }

    private static let temporarySuffix = ".new"

    private var folder: String { superblockDirectory(of: directory) }

    private func path(_ number: UInt32) -> String { "\(folder)/\(Superblock.fileName(number))" }

    private func write(_ bytes: [UInt8], to file: any StoreFile) throws(FileSystemError) {
        let result = bytes.withUnsafeBytes { buffer in
            Result<Void, FileSystemError> { () throws(FileSystemError) in try file.write(buffer, at: 0) }
        }
        try result.get()
    }

    private func readHeader(_ number: UInt32, _ file: any StoreFile) throws -> SuperblockHeader {
        var newer: UInt32?
        for offset in SuperblockHeader.copyOffsets {
            guard let bytes = try? file.read(SuperblockHeader.byteCount, at: offset) else { continue }
            switch SuperblockHeader.decode(bytes[...]) {
            case .header(let header) where header.number == number: return header
            case .newerVersion(let version): newer = version
            default: continue
            }
        }
        let reason =
            newer.map { "was written by a newer version of this program (format \($0))" }
            ?? "has no intact header"
        throw ChunkStoreError(
            .unreadable, "the chunk store in '\(directory)' cannot be opened: superblock \(number) \(reason)")
    }
}
