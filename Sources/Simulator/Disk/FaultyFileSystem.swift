import Base
import ChunkStore
import Glibc
import Synchronization

/// A file system in memory that behaves as a disk may: what is not synchronized can be lost at a power failure, in part
/// and in any order; any call can fail; the disk can be full; bytes can rot, come from a wrong place or not at all.
///
/// It is deterministic: calls in the same order, with the same outcomes and seeds, leave the same bytes. Snapshots
/// (``afterCrash(seed:)``) share what they do not change.
package final class FaultyFileSystem: FileSystem {
    /// The simplest faults; ``watch(_:)`` can do all of them and more.
    package struct Faults: Sendable {
        /// The power fails when so many more changes have been made.
        package var changesUntilCrash: Int?
        package var failsSynchronization = false
        /// Reports success without making anything durable: what a store that acknowledges too early amounts to.
        package var liesAboutSynchronization = false
        /// Bytes that the disk still has room for.
        package var freeBytes: Int?
        /// Called before a synchronization takes effect, on the thread that asked.
        package var beforeSynchronization: (@Sendable () -> Void)?
    }

    package struct Counts: Sendable {
        package var changes = 0
        package var dataSynchronizations = 0
        package var writes = 0
    }

    package typealias Watcher = @Sendable (DiskStep) -> DiskOutcome
    package typealias Witness = @Sendable (DiskStep) -> Void

    struct State {
        var directory = DirectoryLog()
        var locked: Set<String> = []
        var watcher: Watcher?
        var witness: Witness?
        var faults = Faults()
        var counts = Counts()
        var isCrashed = false
        /// Decides what a failed synchronization leaves.
        var random: SplitMix
    }

    let pool: PagePool
    let state: Locked<State>

    /// - Parameter fileBytesMax: room for every file; mappings cover all of it.
    package convenience init(seed: UInt64 = 0, fileBytesMax: Int = 512 * ByteCount.kibibyte) {
        self.init(State(random: SplitMix(seed: seed)), PagePool(fileBytesMax: fileBytesMax))
    }

    init(_ state: consuming sending State, _ pool: PagePool) {
        self.state = Locked(state)
        self.pool = pool
    }

    /// Calls `watcher` before each step, which decides what becomes of it, and `witness` after each that succeeded: on
    /// the thread that asks and without a lock held, so that they may do with the file system what they want.
    package func watch(_ watcher: Watcher?, after witness: Witness? = nil) {
        state.withLock { ($0.watcher, $0.witness) = (watcher, witness) }
    }

    /// Fails every call from now on.
    package func powerOff() { state.withLock { $0.isCrashed = true } }

    package func setFaults(_ change: (inout Faults) -> Void) { state.withLock { change(&$0.faults) } }
    package var counts: Counts { state.withLock { $0.counts } }
    package var isCrashed: Bool { state.withLock { $0.isCrashed } }

    package func createDirectory(_ path: String) throws(FileSystemError) {
        try perform(.createDirectory, path) { _ in }
    }

    package func names(in directory: String) throws(FileSystemError) -> [String] {
        try perform(.list, directory) { state in
            state.directory.names.keys.filter { DirectoryLog.parent($0) == directory }.sorted()
                .map { String($0.dropFirst(directory.count + 1)) }
        }
    }

    package func open(_ path: String, creating: Bool) throws(FileSystemError) -> any StoreFile {
        let isThere = state.withLock { $0.directory.names[path] != nil }
        let inode = try perform(creating && !isThere ? .create : .open, path) {
            state throws(FileSystemError) -> Inode in
            if let inode = state.directory.names[path] { return inode }
            guard creating else { throw FileSystemError("open", path, errorNumber: ENOENT) }
            let inode = Inode(path, pool: pool)
            state.directory.create(path, inode)
            return inode
        }
        return MemoryFile(inode: inode, system: self)
    }

    package func rename(_ path: String, to newPath: String) throws(FileSystemError) {
        try perform(.rename(to: newPath), path) { state throws(FileSystemError) in
            guard state.directory.names[path] != nil else { throw FileSystemError("rename", path, errorNumber: ENOENT) }
            state.directory.rename(path, to: newPath)
        }
    }

    package func remove(_ path: String) throws(FileSystemError) {
        try perform(.remove, path) { state in
            state.giveSpace(state.directory.names[path]?.size ?? 0)
            state.directory.remove(path)
        }
    }

    package func syncDirectory(_ path: String) throws(FileSystemError) {
        try perform(.synchronizeDirectory, path) { $0.directory.synchronize(path) }
    }

    package func lock(_ path: String) throws(FileSystemError) -> (any AnyObject & Sendable)? {
        let isFree = state.withLock { $0.locked.insert(path).inserted }
        return isFree ? HeldLock(path: path, system: self) : nil
    }

    /// Known when ``Faults/freeBytes`` is.
    package func space(in directory: String) -> DiskSpace? {
        state.withLock { $0.faults.freeBytes }.map { DiskSpace(freeBytes: $0, totalBytes: ByteCount.gibibyte) }
    }

    fileprivate func unlock(_ path: String) { state.withLock { _ = $0.locked.remove(path) } }
}

private final class HeldLock: Sendable {
    private let path: String
    private let system: FaultyFileSystem

    init(path: String, system: FaultyFileSystem) {
        self.path = path
        self.system = system
    }

    deinit { system.unlock(path) }
}
