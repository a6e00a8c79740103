import Foundation
import Testing

@testable import ChunkStore

/// What a store leaves in the kernel's memory.
@Suite struct PageCacheTests {
    private let folder = TemporaryDirectory()

    @Test("a large chunk that was written and not read gives its memory back, one that was read keeps it")
    func writtenAndRead() async throws {
        guard try dropsCache() else { return }
        var options = ChunkStore.Options()
        options.markerDelay = .seconds(3600)
        let store = try ChunkStore(directory: folder.path, options: options)
        let content = bytes(1 << 20, seed: 1)
        _ = try await store.put(chunkID("unread"), content)
        let file = "\(folder.path)/superblocks/000001.vsb"
        // A moment after the answer. Pages that it shares with its neighbours stay, and its head.
        try await shrink(file, to: 128 << 10)
        #expect(try store.content(chunkID("unread")) == content)
        let before = try cachedBytes(of: file)
        #expect(before > content.count)
        _ = try await store.put(chunkID("next"), bytes(1 << 20, seed: 2))
        try await shrink(file, to: before + 128 << 10)
        #expect(try cachedBytes(of: file) >= content.count)
    }

    private func shrink(_ file: String, to countMax: Int) async throws {
        let deadline = ContinuousClock.now + .seconds(120)
        var cached = try cachedBytes(of: file)
        while cached > countMax {
            try #require(ContinuousClock.now < deadline, "\(cached) bytes stay in memory")
            try await Task.sleep(for: .milliseconds(5))
            cached = try cachedBytes(of: file)
        }
    }

    /// Whether the folder's file system has a cache that can be told to forget; one in memory has not.
    private func dropsCache() throws -> Bool {
        let path = folder.path + ".probe"
        defer { unlink(path) }
        try Data(bytes(1 << 20, seed: 0)).write(to: URL(filePath: path))
        let file = open(path, O_RDWR)
        defer { close(file) }
        fdatasync(file)
        posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED)
        return try cachedBytes(of: path) == 0
    }

    private func cachedBytes(of path: String) throws -> Int {
        let file = open(path, O_RDONLY)
        defer { close(file) }
        var status = stat()
        try #require(fstat(file, &status) == 0 && status.st_size > 0)
        let size = Int(status.st_size)
        let address = try #require(mmap(nil, size, PROT_READ, MAP_SHARED, file, 0))
        try #require(address != MAP_FAILED)
        defer { munmap(address, size) }
        let pageBytes = 4096
        var pages = [UInt8](repeating: 0, count: (size + pageBytes - 1) / pageBytes)
        try #require(mincore(address, size, &pages) == 0)
        return pages.count { $0 & 1 != 0 } * pageBytes
    }
}
