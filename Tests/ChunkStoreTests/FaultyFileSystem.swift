import Base
import Foundation
import Synchronization

@testable import ChunkStore

/// A file system in memory that behaves as a disk may: what is not synchronized can be lost at a crash, in part and in
/// any order; a synchronization can fail; the disk can be full.
final class FaultyFileSystem: FileSystem {
    struct Faults: Sendable {
        /// The power fails when so many more changes have been made.
        var changesUntilCrash: Int?
        var failsSynchronization = false
        /// Reports success without making anything durable: what a store that acknowledges too early amounts to.
        var liesAboutSynchronization = false
        /// Bytes that the disk still has room for.
        var freeBytes: Int?
        /// Called before a synchronization takes effect, on the thread that asked.
        var beforeSynchronization: (@Sendable () -> Void)?
    }

    struct Counts: Sendable {
        var changes = 0
        var dataSynchronizations = 0
        var writes = 0
    }

    fileprivate struct State {
        var names: [String: MemoryFile] = [:]
        /// What a crash leaves of the directory.
        var durableNames: [String: MemoryFile] = [:]
        var locked: Set<String> = []
        var faults = Faults()
        var counts = Counts()
        var isCrashed = false
    }

    fileprivate let state = Locked(State())

    init() {}

    func setFaults(_ change: (inout Faults) -> Void) { state.withLock { change(&$0.faults) } }
    var counts: Counts { state.withLock { $0.counts } }
    var isCrashed: Bool { state.withLock { $0.isCrashed } }

    /// The disk after a power failure: what was durable, and of everything else what chance left.
    func afterCrash(seed: UInt64) -> FaultyFileSystem {
        let next = FaultyFileSystem()
        var random = SplitMix(seed: seed)
        let files = state.withLock { $0.durableNames }
        let survivors = files.sorted { $0.key < $1.key }.map { ($0.key, $0.value.afterCrash(in: next, &random)) }
        next.state.withLock { state in
            for (name, file) in survivors {
                state.names[name] = file
                state.durableNames[name] = file
            }
        }
        return next
    }

    /// Changes bytes where they rest.
    func corrupt(_ path: String, at offset: Int, with bytes: [UInt8]) {
        state.withLock { $0.names[path] }?.corrupt(at: offset, with: bytes)
    }

    func contents(_ path: String) -> [UInt8] { state.withLock { $0.names[path] }?.contents ?? [] }

    /// Replaces the file's content, durably.
    func setContents(_ path: String, _ bytes: [UInt8]) {
        let file = MemoryFile(path: path, system: self)
        file.setDurable(bytes)
        state.withLock { state in
            state.names[path] = file
            state.durableNames[path] = file
        }
    }

    var paths: [String] { state.withLock { $0.names.keys.sorted() } }

    func copy() -> FaultyFileSystem {
        let copy = FaultyFileSystem()
        for path in paths { copy.setContents(path, contents(path)) }
        return copy
    }

    func createDirectory(_ path: String) {}

    func names(in directory: String) throws(FileSystemError) -> [String] {
        paths.filter { $0.hasPrefix(directory + "/") }.map { String($0.dropFirst(directory.count + 1)) }
            .filter { !$0.contains("/") }
    }

    func open(_ path: String, creating: Bool) throws(FileSystemError) -> any StoreFile {
        try change(path, "open", onlyIf: creating)
        let file = state.withLock { state -> MemoryFile? in
            if state.names[path] == nil, creating { state.names[path] = MemoryFile(path: path, system: self) }
            return state.names[path]
        }
        guard let file else { throw FileSystemError("open", path, errorNumber: ENOENT) }
        return file
    }

    func rename(_ path: String, to newPath: String) throws(FileSystemError) {
        try change(path, "rename")
        state.withLock { $0.names[newPath] = $0.names.removeValue(forKey: path) }
    }

    func remove(_ path: String) throws(FileSystemError) {
        try change(path, "unlink")
        let file = state.withLock { $0.names.removeValue(forKey: path) }
        giveSpace(file?.size() ?? 0)
    }

    func syncDirectory(_ path: String) throws(FileSystemError) {
        try change(path, "fsync")
        state.withLock { state in
            let isInside = { (name: String) in name.hasPrefix(path + "/") }
            for name in state.durableNames.keys where isInside(name) { state.durableNames[name] = nil }
            for (name, file) in state.names where isInside(name) { state.durableNames[name] = file }
        }
    }

    func lock(_ path: String) throws(FileSystemError) -> (any AnyObject & Sendable)? {
        let isFree = state.withLock { $0.locked.insert(path).inserted }
        return isFree ? HeldLock(path: path, system: self) : nil
    }

    func space(in directory: String) -> DiskSpace? {
        state.withLock { $0.faults.freeBytes }.map { DiskSpace(freeBytes: $0, totalBytes: 1 << 30) }
    }

    fileprivate func unlock(_ path: String) { state.withLock { _ = $0.locked.remove(path) } }

    /// Counts a change to the disk, or fails it when the power is gone.
    fileprivate func change(_ path: String, _ operation: String, onlyIf isChange: Bool = true) throws(FileSystemError) {
        let isPowered = state.withLock { state in
            guard !state.isCrashed else { return false }
            guard isChange else { return true }
            state.counts.changes += 1
            guard let remaining = state.faults.changesUntilCrash else { return true }
            state.faults.changesUntilCrash = remaining - 1
            state.isCrashed = remaining <= 0
            return !state.isCrashed
        }
        guard isPowered else { throw FileSystemError(operation, path, errorNumber: EIO) }
    }
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

/// A file whose unsynchronized writes are known one by one.
final class MemoryFile: StoreFile {
    private struct State {
        var size = 0
        /// What a crash leaves for sure.
        var durable: [UInt8] = []
        /// Written since the last synchronization.
        var pending: [(offset: Int, bytes: [UInt8])] = []
    }

    /// Room for every file of a test; the mapping covers all of it, as the real one covers what is not written yet.
    static let bytesMax = 1 << 19

    private let path: String
    /// The system holds its files, and every store the system.
    private unowned let system: FaultyFileSystem
    private let memory = Memory()
    private let state = Locked(State())

    init(path: String, system: FaultyFileSystem) {
        self.path = path
        self.system = system
    }

    func size() -> Int { state.withLock { $0.size } }

    func read(_ count: Int, at offset: Int) throws(FileSystemError) -> [UInt8] {
        let end = min(size(), offset + count)
        return offset < end ? Array(memory.bytes[offset..<end]) : []
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileSystemError) {
        try system.change(path, "pwrite")
        precondition(offset + bytes.count <= Self.bytesMax, "the test's files are small")
        try state.withLock { state throws(FileSystemError) in
            try system.takeSpace(max(0, offset + bytes.count - state.size), path)
            state.size = max(state.size, offset + bytes.count)
            state.pending.append((offset, Array(bytes)))
            memory.write(Array(bytes), at: offset)
        }
        system.state.withLock { $0.counts.writes += 1 }
    }

    func synchronize() throws(FileSystemError) {
        system.state.withLock { $0.faults.beforeSynchronization }?()
        try system.change(path, "fdatasync")
        let (fails, lies) = system.state.withLock { state in
            state.counts.dataSynchronizations += 1
            return (state.faults.failsSynchronization, state.faults.liesAboutSynchronization)
        }
        if fails { throw FileSystemError("fdatasync", path, errorNumber: EIO) }
        guard !lies else { return }
        state.withLock { state in
            for write in state.pending { Self.apply(write.bytes, at: write.offset, to: &state.durable) }
            state.pending = []
        }
    }

    func allocate(_ range: Range<Int>) throws(FileSystemError) {
        try system.change(path, "fallocate")
        try state.withLock { state throws(FileSystemError) in
            try system.takeSpace(max(0, range.upperBound - state.size), path)
            state.size = max(state.size, range.upperBound)
        }
    }

    func truncate(to size: Int) throws(FileSystemError) {
        try system.change(path, "ftruncate")
        state.withLock { state in
            system.giveSpace(max(0, state.size - size))
            if size < state.size { memory.write([UInt8](repeating: 0, count: state.size - size), at: size) }
            state.size = size
            state.durable.removeLast(max(0, state.durable.count - size))
            state.pending.removeAll { $0.offset >= size }
        }
    }

    func map(byteCount: Int) -> any FileMapping { memory }

    func dropCache() {}

    var contents: [UInt8] { Array(memory.bytes[..<size()]) }

    func corrupt(at offset: Int, with bytes: [UInt8]) {
        state.withLock { state in
            memory.write(bytes, at: offset)
            Self.apply(bytes, at: offset, to: &state.durable)
        }
    }

    func setDurable(_ bytes: [UInt8]) {
        state.withLock { state in
            memory.write(bytes, at: 0)
            (state.size, state.durable, state.pending) = (bytes.count, bytes, [])
        }
    }

    /// What is left: the durable bytes, and each sector of each later write or not.
    func afterCrash(in system: FaultyFileSystem, _ random: inout SplitMix) -> MemoryFile {
        let (size, durable, pending) = state.withLock { ($0.size, $0.durable, $0.pending) }
        var image = durable
        // Sometimes nothing of what was not synchronized survives, sometimes all, mostly a part.
        let share = [0, 256, random.below(257)][random.below(3)]
        for write in pending {
            let sectors = write.offset / 512...(write.offset + write.bytes.count - 1) / 512
            for sector in sectors where random.below(256) < share {
                let start = max(sector * 512, write.offset)
                let end = min(sector * 512 + 512, write.offset + write.bytes.count)
                Self.apply(Array(write.bytes[start - write.offset..<end - write.offset]), at: start, to: &image)
            }
        }
        let file = MemoryFile(path: path, system: system)
        let length = max(image.count, size)
        file.setDurable(image + [UInt8](repeating: 0, count: length - image.count))
        return file
    }

    private static func apply(_ bytes: [UInt8], at offset: Int, to image: inout [UInt8]) {
        let end = offset + bytes.count
        if image.count < end { image += [UInt8](repeating: 0, count: end - image.count) }
        image.replaceSubrange(offset..<end, with: bytes)
    }
}

extension FaultyFileSystem {
    fileprivate func giveSpace(_ count: Int) {
        state.withLock { state in
            if let free = state.faults.freeBytes { state.faults.freeBytes = free + count }
        }
    }

    fileprivate func takeSpace(_ count: Int, _ path: String) throws(FileSystemError) {
        let fits = state.withLock { state in
            guard let free = state.faults.freeBytes else { return true }
            guard count <= free else { return false }
            state.faults.freeBytes = free - count
            return true
        }
        guard fits else { throw FileSystemError("pwrite", path, errorNumber: ENOSPC) }
    }
}

/// The page cache of a file.
private final class Memory: FileMapping, @unchecked Sendable {
    // Written under its file's lock; readers look only at records that are complete.
    private let buffer: UnsafeMutableRawBufferPointer

    init() {
        // The system zeroes a page when it is first touched, and most never are.
        guard let memory = calloc(MemoryFile.bytesMax, 1) else { fatalError("out of memory") }
        buffer = UnsafeMutableRawBufferPointer(start: memory, count: MemoryFile.bytesMax)
    }

    deinit { free(buffer.baseAddress) }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(buffer) }

    func write(_ bytes: [UInt8], at offset: Int) {
        UnsafeMutableRawBufferPointer(rebasing: buffer[offset...]).copyBytes(from: bytes)
    }
}

/// Random numbers that a seed repeats (Steele, Lea, Flood 2014).
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
