import Base
import Digests

/// Finds out what is in a store's directory, mends what a crash left, and makes a new store where there is none.
struct StoreOpening {
    let directory: String
    let options: ChunkStore.Options
    let fileSystem: any FileSystem

    /// A store ready to serve.
    struct Opened: ~Copyable {
        let store: StoreID
        let lock: any AnyObject & Sendable
        fileprivate(set) var superblocks: [UInt32: Superblock]
        fileprivate(set) var active: (number: UInt32, tail: LogTail)
        fileprivate var replay: LogReplay
        fileprivate var largestSequence: UInt64
        fileprivate(set) var statistics: ChunkStoreStatistics
        fileprivate var quarantine = Quarantine()

        consuming func makeState() -> ChunkStore.State {
            let superblocks = superblocks
            let active = active
            var statistics = statistics
            let quarantine = quarantine
            // Damage that can be read again another day must not outrank what is written from now on.
            let lostRecordsMax = UInt64(statistics.corruptRecordBytes / RecordHeader.byteCount)
            let nextSequence = largestSequence + lostRecordsMax + 1
            let tables = replay.finish()
            tables.chunks.forEach { statistics.chunkBytes += Int($0.payloadLength) }
            return ChunkStore.State(
                chunks: tables.chunks, acceptors: tables.acceptors, superblocks: superblocks,
                activeNumber: active.number,
                tails: [active.number: active.tail], nextSequence: nextSequence, statistics: statistics,
                quarantine: quarantine)
        }
    }

    func open() throws(ChunkStoreError) -> Opened {
        do {
            try fileSystem.createDirectory(superblockDirectory(of: directory))
            guard let lock = try fileSystem.lock("\(directory)/lock") else {
                throw ChunkStoreError(
                    .inUse, "the data directory '\(directory)' is in use by another storage node; give each its own")
            }
            return try open(lock)
        } catch let error as FileSystemError {
            throw .opening(error)
        } catch let error as ChunkStoreError {
            throw error
        } catch {
            throw ChunkStoreError(.io, "the chunk store cannot be opened: \(error)", cause: error)
        }
    }

    private func open(_ lock: any AnyObject & Sendable) throws -> Opened {
        let files = SuperblockFiles(directory: directory, options: options, fileSystem: fileSystem)
        let numbers = try files.numbers()
        let identity = try readIdentity()
        guard let identity else { return try create(lock, files, numbers) }
        guard !numbers.isEmpty else {
            throw unreadable(
                "there is a store.id but not one superblock: its chunks are lost or the disk is not mounted")
        }
        var opened = Opened(
            store: identity, lock: lock, superblocks: [:], active: (0, files.emptyTail), replay: LogReplay(),
            largestSequence: 0, statistics: ChunkStoreStatistics())
        for number in numbers { try load(number, isLast: number == numbers.last, files, &opened) }
        return opened
    }

    private func load(_ number: UInt32, isLast: Bool, _ files: SuperblockFiles, _ opened: inout Opened) throws {
        let (superblock, owner) = try files.open(number)
        guard owner == opened.store else {
            throw unreadable("superblock \(number) belongs to the store \(owner), not to \(opened.store)")
        }
        opened.superblocks[number] = superblock
        opened.replay.add(superblock)
        let recovered = try RecoveredSuperblock(
            superblock, capacity: files.capacity, now: options.time.now(), records: &opened.replay)
        opened.largestSequence = max(opened.largestSequence, recovered.largestSequence)
        for range in recovered.corrupt {
            _ = opened.quarantine.add(Quarantine.Stretch(superblock: number, range: range))
        }
        opened.statistics.corruptRecords += recovered.corrupt.count
        opened.statistics.corruptRecordBytes += recovered.corrupt.reduce(0) { $0 + $1.count }
        opened.statistics.tornRecords += recovered.tornCount
        guard isLast else { return }
        if let tail = recovered.tail {
            opened.active = (number, tail)
        } else {
            let next = try files.create(number + 1, store: opened.store)
            opened.superblocks[number + 1] = next
            opened.active = (number + 1, files.emptyTail)
        }
    }

    /// A new store: first the superblock, then the identity that makes it count.
    private func create(_ lock: any AnyObject & Sendable, _ files: SuperblockFiles, _ numbers: [UInt32]) throws
        -> Opened
    {
        for number in numbers {
            guard try files.isUnused(number) else {
                throw unreadable("there are superblocks but no store.id; restore it, or move the superblocks away")
            }
        }
        let store = StoreID.random()
        let superblock = try files.create(1, store: store)
        try writeIdentity(store)
        return Opened(
            store: store, lock: lock, superblocks: [1: superblock], active: (1, files.emptyTail), replay: LogReplay(),
            largestSequence: 0, statistics: ChunkStoreStatistics())
    }

    private var identityPath: String { "\(directory)/store.id" }

    func readIdentity() throws -> StoreID? {
        guard let file = try openIfThere(identityPath) else { return nil }
        let text = String(decoding: try file.read(64, at: 0), as: UTF8.self)
        guard let id = StoreID(text.prefix { $0 != "\n" }) else {
            throw unreadable("its store.id is damaged; it must be 32 hex digits")
        }
        return id
    }

    private func openIfThere(_ path: String) throws(FileSystemError) -> (any StoreFile)? {
        do throws(FileSystemError) {
            return try fileSystem.open(path, creating: false)
        } catch {
            if error.isNotFound { return nil }
            throw error
        }
    }

    private func writeIdentity(_ store: StoreID) throws {
        let temporary = identityPath + ".new"
        let file = try fileSystem.open(temporary, creating: true)
        try file.truncate(to: 0)
        try Array("\(store)\n".utf8).withUnsafeBytes { try file.write($0, at: 0) }
        try file.synchronize()
        try fileSystem.rename(temporary, to: identityPath)
        try fileSystem.syncDirectory(directory)
    }

    private func unreadable(_ reason: String) -> ChunkStoreError {
        ChunkStoreError(.unreadable, "the chunk store in '\(directory)' cannot be opened: \(reason)")
    }
}

/// Where a store keeps its superblocks.
func superblockDirectory(of directory: String) -> String { "\(directory)/superblocks" }
