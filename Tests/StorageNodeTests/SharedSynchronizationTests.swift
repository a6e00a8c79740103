import Base
import ChunkStore
import Foundation
import HTTPClient
import HTTPServer
import HTTPTypes
import Hosting
import Testing

@testable import StorageNode

/// The whole way of small chunks, from the network to the disk.
@Suite struct SharedSynchronizationTests {
    private static let putCount = 64

    @Test("64 PUTs of 4 KiB that come while the disk is busy share a few synchronizations", .timeLimit(.minutes(5)))
    func shared() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("vstack-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        let disk = BusyDisk()
        let configuration = try StorageNodeConfiguration(
            settings: Settings(environment: ["DATA_DIR": directory.path, "METADATA_SERVICE_URL": ""]))
        let service = try StorageNodeService(
            configuration: configuration, registry: nil, disk: DiskUsage { 10 }, fileSystem: disk)
        let host = try await ServiceHost(service, configuration: ServerConfiguration())
        let http = HTTPClient(connectionsPerHostMax: Self.putCount)
        let before = service.store.statistics.synchronizations
        disk.becomeBusy(until: Self.putCount)
        try await withThrowingTaskGroup(of: HTTPStatus.self) { group in
            for number in 0..<Self.putCount {
                group.addTask {
                    let content = [UInt8](repeating: UInt8(number), count: 4096)
                    var put = ClientRequest(.put, "\(host.url)/chunk/small-\(number)", body: .bytes(content))
                    put.totalTimeout = nil
                    put.idleTimeout = .seconds(300)
                    put.connectTimeout = .seconds(300)
                    return try await http.send(put).status
                }
            }
            for try await status in group { #expect(status == .created) }
        }
        // One that was held up with whatever had come, one for the rest, and what the store has to say for itself.
        #expect(service.store.statistics.synchronizations - before <= 8)
        #expect(service.store.chunkCount == Self.putCount)
        http.shutdown()
        await host.stop()
    }
}

/// The real file system, whose synchronizations wait for a number of writes when it is told to be busy.
private final class BusyDisk: FileSystem {
    private let system = LinuxFileSystem()
    private let remaining = NSCondition()
    nonisolated(unsafe) private var missingWrites = 0  // Under `remaining`.

    func becomeBusy(until writeCount: Int) { remaining.withLock { missingWrites = writeCount } }

    fileprivate func noteWrite() {
        remaining.withLock {
            missingWrites -= 1
            remaining.broadcast()
        }
    }

    fileprivate func untilIdle() { remaining.withLock { while missingWrites > 0 { remaining.wait() } } }

    func createDirectory(_ path: String) throws(FileSystemError) { try system.createDirectory(path) }
    func names(in directory: String) throws(FileSystemError) -> [String] { try system.names(in: directory) }
    func open(_ path: String, creating: Bool) throws(FileSystemError) -> any StoreFile {
        BusyFile(try system.open(path, creating: creating), on: self)
    }
    func rename(_ path: String, to newPath: String) throws(FileSystemError) { try system.rename(path, to: newPath) }
    func remove(_ path: String) throws(FileSystemError) { try system.remove(path) }
    func syncDirectory(_ path: String) throws(FileSystemError) { try system.syncDirectory(path) }
    func lock(_ path: String) throws(FileSystemError) -> (any AnyObject & Sendable)? { try system.lock(path) }
}

private final class BusyFile: StoreFile {
    private let file: any StoreFile
    private let disk: BusyDisk

    init(_ file: any StoreFile, on disk: BusyDisk) {
        self.file = file
        self.disk = disk
    }

    func size() throws(FileSystemError) -> Int { try file.size() }
    func read(_ count: Int, at offset: Int) throws(FileSystemError) -> [UInt8] { try file.read(count, at: offset) }
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileSystemError) {
        try file.write(bytes, at: offset)
        disk.noteWrite()
    }
    func synchronize() throws(FileSystemError) {
        disk.untilIdle()
        try file.synchronize()
    }
    func allocate(_ range: Range<Int>) throws(FileSystemError) { try file.allocate(range) }
    func truncate(to size: Int) throws(FileSystemError) { try file.truncate(to: size) }
    func map(byteCount: Int) throws(FileSystemError) -> any FileMapping { try file.map(byteCount: byteCount) }
    func dropCache(from offset: Int, mapping: any FileMapping) { file.dropCache(from: offset, mapping: mapping) }
    func dropCache(of range: Range<Int>) { file.dropCache(of: range) }
}
