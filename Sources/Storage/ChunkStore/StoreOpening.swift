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
        let log: OpenedLog

        consuming func makeState() -> ChunkStore.State { log.makeState() }
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
        // Names that a process left which was killed before it synchronized them would go with the next power failure.
        try fileSystem.syncDirectory(superblockDirectory(of: directory))
        try fileSystem.syncDirectory(directory)
        let files = SuperblockFiles(directory: directory, options: options, fileSystem: fileSystem)
        let numbers = try files.numbers()
        let identity = try readIdentity()
        guard let identity else { return try create(lock, files, numbers) }
        guard !numbers.isEmpty else {
            throw unreadable(
                "there is a store.id but not one superblock: its chunks are lost or the disk is not mounted")
        }
        return Opened(store: identity, lock: lock, log: try OpenedLog(identity, numbers, files))
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
        let store = StoreID(bytes: options.randomBytes(16))
        let superblock = try files.create(1, store: store)
        try writeIdentity(store)
        return Opened(store: store, lock: lock, log: OpenedLog(empty: superblock, of: store, files))
    }

    private var identityPath: String { "\(directory)/store.id" }

    func readIdentity() throws -> StoreID? {
        guard let file = try fileSystem.openIfThere(identityPath) else { return nil }
        let text = String(decoding: try file.read(64, at: 0), as: UTF8.self)
        guard let id = StoreID(text.prefix { $0 != "\n" }) else {
            throw unreadable("its store.id is damaged; it must be 32 hex digits")
        }
        return id
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

extension FileSystem {
    /// nil when there is no such file.
    func openIfThere(_ path: String) throws(FileSystemError) -> (any StoreFile)? {
        do throws(FileSystemError) {
            return try open(path, creating: false)
        } catch {
            if error.isNotFound { return nil }
            throw error
        }
    }
}

/// Where a store keeps its superblocks.
func superblockDirectory(of directory: String) -> String { "\(directory)/superblocks" }
