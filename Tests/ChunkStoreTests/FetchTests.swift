import Base
import Foundation
import Synchronization
import Testing

@testable import ChunkStore

/// What of a file is in memory, by mincore(2), which touches nothing.
private func residentPages(_ bytes: UnsafeRawBufferPointer) -> [Bool] {
    var states = [UInt8](repeating: 0, count: bytes.count / Int(getpagesize()))
    #expect(mincore(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count, &states) == 0)
    return states.map { $0 & 1 == 1 }
}

@Suite("Reading a cold record")
struct FetchTests {
    private static let pageBytes = Int(getpagesize())
    private static let fileBytes = 1024 * pageBytes

    @Test("fetches exactly its pages, all of them, before any is touched")
    func fetchesExactly() throws {
        let directory = TemporaryDirectory()
        try LinuxFileSystem().createDirectory(directory.path)
        let file = try LinuxFileSystem().open("\(directory.path)/file", creating: true)
        try bytes(Self.fileBytes, seed: 1).withUnsafeBytes { try file.write($0, at: 0) }
        try file.synchronize()
        file.dropCache()
        let mapping = try file.map(byteCount: Self.fileBytes)
        // A file system that lives in memory has no cache to drop.
        guard !residentPages(mapping.bytes).contains(true) else { return }
        let range = 300 * Self.pageBytes + 100..<812 * Self.pageBytes + 100
        mapping.fetch(range)
        var resident: [Bool] = []
        // The disk delivers in its own time.
        for _ in 0..<20_000 where !resident.contains(true) || resident[300...812].contains(false) {
            resident = residentPages(mapping.bytes)
            usleep(1_000)
        }
        #expect(!resident[300...812].contains(false))
        #expect(!resident[..<300].contains(true) && !resident[813...].contains(true))
    }

    @Test("outside the mapping fetches nothing and harms nothing")
    func outside() throws {
        let directory = TemporaryDirectory()
        try LinuxFileSystem().createDirectory(directory.path)
        let file = try LinuxFileSystem().open("\(directory.path)/file", creating: true)
        try bytes(Self.pageBytes, seed: 1).withUnsafeBytes { try file.write($0, at: 0) }
        let mapping = try file.map(byteCount: Self.pageBytes)
        mapping.fetch(0..<Self.pageBytes + 1)
        mapping.fetch(10..<10)
        #expect(Array(mapping.bytes) == bytes(Self.pageBytes, seed: 1))
    }

    @Test("is asked for by a read of a large chunk, and by nothing else")
    func readsFetch() async throws {
        let system = WatchedFileSystem()
        let directory = TemporaryDirectory()
        var options = ChunkStore.Options()
        options.maintainsItself = false
        let store = try ChunkStore(directory: directory.path, options: options, fileSystem: system)
        defer { store.close() }
        let large = bytes(100_000, seed: 2)
        _ = try await store.put(chunkID("large"), large)
        _ = try await store.put(chunkID("small"), bytes(1_000, seed: 3))
        #expect(try store.content(chunkID("small")) != nil)
        #expect(try store.describe(chunkID("large")) != nil)
        #expect(system.fetched.withLock { $0 }.isEmpty)
        #expect(try store.content(chunkID("large")) == large)
        let place = try #require(try store.locate(chunkID("large"), in: .chunks, withMetadata: false)).header
        let start = place.place.offset
        #expect(system.fetched.withLock { $0 } == [start..<start + place.payloadOffset + large.count])
    }
}

/// The system's files, noting what is fetched.
private final class WatchedFileSystem: FileSystem {
    let fetched = Locked<[Range<Int>]>([])
    private let system = LinuxFileSystem()

    func createDirectory(_ path: String) throws(FileSystemError) { try system.createDirectory(path) }
    func names(in directory: String) throws(FileSystemError) -> [String] { try system.names(in: directory) }
    func open(_ path: String, creating: Bool) throws(FileSystemError) -> any StoreFile {
        WatchedFile(try system.open(path, creating: creating), of: self)
    }
    func rename(_ path: String, to newPath: String) throws(FileSystemError) { try system.rename(path, to: newPath) }
    func remove(_ path: String) throws(FileSystemError) { try system.remove(path) }
    func syncDirectory(_ path: String) throws(FileSystemError) { try system.syncDirectory(path) }
    func lock(_ path: String) throws(FileSystemError) -> (any AnyObject & Sendable)? { try system.lock(path) }
}

private final class WatchedFile: StoreFile {
    private let file: any StoreFile
    private let system: WatchedFileSystem

    init(_ file: any StoreFile, of system: WatchedFileSystem) {
        self.file = file
        self.system = system
    }

    func size() throws(FileSystemError) -> Int { try file.size() }
    func read(_ count: Int, at offset: Int) throws(FileSystemError) -> [UInt8] { try file.read(count, at: offset) }
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileSystemError) {
        try file.write(bytes, at: offset)
    }
    func synchronize() throws(FileSystemError) { try file.synchronize() }
    func allocate(_ range: Range<Int>) throws(FileSystemError) { try file.allocate(range) }
    func truncate(to size: Int) throws(FileSystemError) { try file.truncate(to: size) }
    func map(byteCount: Int) throws(FileSystemError) -> any FileMapping {
        WatchedMapping(try file.map(byteCount: byteCount), of: system)
    }
    func dropCache() { file.dropCache() }
    func dropCache(of range: Range<Int>) { file.dropCache(of: range) }
}

private final class WatchedMapping: FileMapping {
    private let mapping: any FileMapping
    private let system: WatchedFileSystem

    init(_ mapping: any FileMapping, of system: WatchedFileSystem) {
        self.mapping = mapping
        self.system = system
    }

    var bytes: UnsafeRawBufferPointer { mapping.bytes }

    func fetch(_ range: Range<Int>) {
        system.fetched.withLock { $0.append(range) }
        mapping.fetch(range)
    }
}
