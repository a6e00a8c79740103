import Base
import ChunkPaxos
import Foundation
import SimulatedDisk
import Synchronization
import Testing

@testable import ChunkStore

@Suite("Scrubbing, and what was found damaged")
struct ScrubberTests {
    private let rate = 1 << 30

    private func scrubber(_ store: ChunkStore, rate: Int = 0) -> Scrubber {
        var options = Scrubber.Options()
        options.bytesPerSecond = rate
        let scrubber = Scrubber(store: store, options: options) { ForegroundLoad(requests: 0, bytes: 0) }
        scrubber.start()
        return scrubber
    }

    /// One whole pass.
    private func scrub(_ store: ChunkStore) async throws -> ScrubProgress {
        let scrubber = scrubber(store)
        defer { scrubber.stop() }
        try scrubber.request(bytesPerSecond: rate)
        while scrubber.totals.passes == 0 { await Task.yield() }
        return scrubber.progress
    }

    /// A store with chunks over several superblocks.
    private func filledStore(_ system: FaultyFileSystem, count: Int = 30) async throws -> ChunkStore {
        let store = try openMemory(system)
        for number in 0..<count { _ = try await store.put(chunkID("c\(number)"), bytes(5000, seed: UInt64(number))) }
        return store
    }

    private func place(_ store: ChunkStore, _ id: String) throws -> (path: String, header: RecordHeader) {
        let header = try #require(try store.locate(chunkID(id), in: .chunks, withMetadata: false)).header
        return ("/store/superblocks/\(Superblock.fileName(header.place.superblock))", header)
    }

    private func corruptPayload(_ system: FaultyFileSystem, _ store: ChunkStore, _ id: String) throws {
        let (path, header) = try place(store, id)
        let offset = header.place.offset + header.payloadOffset + 17
        system.corrupt(path, at: offset, with: [~system.contents(path)[offset]])
    }

    private func corruptHead(_ system: FaultyFileSystem, _ store: ChunkStore, _ id: String, byte: Int = 30) throws {
        let (path, header) = try place(store, id)
        let offset = header.place.offset + byte
        system.corrupt(path, at: offset, with: [~system.contents(path)[offset]])
    }

    @Test("a pass over a whole store finds everything and nothing wrong")
    func whole() async throws {
        let store = try await filledStore(FaultyFileSystem())
        _ = try await store.delete(chunkID("c3"))
        let progress = try await scrub(store)
        #expect(progress.chunksDone == 29 && progress.chunksTotal == 29)
        #expect(progress.bytesDone == progress.bytesTotal && progress.bytesTotal > 30 * 5000)
        #expect(progress.damagedFound == 0 && progress.lastFinishedAt != nil)
        #expect(store.statistics.corruptChunks == 0 && store.statistics.corruptRecords == 0)
    }

    @Test("a chunk that rots is found before anybody asks for it, and not served, by this process or the next")
    func rot() async throws {
        let system = FaultyFileSystem()
        let store = try await filledStore(system)
        try corruptPayload(system, store, "c7")
        try corruptPayload(system, store, "c29")
        let original = try place(store, "c7")
        let progress = try await scrub(store)
        #expect(progress.damagedFound == 2 && progress.chunksDone == 28)
        #expect(store.corruptChunks.sorted { "\($0)" < "\($1)" } == [chunkID("c29"), chunkID("c7")])
        #expect(store.statistics.corruptChunks == 2 && store.statistics.corruptRecords == 0)
        // The disk gives the right bytes again: they are not trusted any more.
        let offset = original.header.place.offset + original.header.payloadOffset + 17
        system.corrupt(original.path, at: offset, with: [~system.contents(original.path)[offset]])
        #expect(await errorCode { _ = try store.read(chunkID("c7")) } == .corrupt)
        #expect(await errorCode { _ = try store.find(chunkID("c7")) } == .corrupt)
        #expect(try store.acceptor(chunkID("c7")).chunk == nil)
        store.close()

        let again = try openMemory(system)
        #expect(try again.contains(chunkID("c7")), "nothing is known before the scrubber is there")
        let next = scrubber(again)
        #expect(again.statistics.corruptChunks == 2)
        #expect(await errorCode { _ = try again.read(chunkID("c7")) } == .corrupt)
        next.stop()
        #expect(try await scrub(again).damagedFound == 0, "what is known is no news")
    }

    @Test("storing the same bytes heals a chunk, deleting it forgets it, and both are remembered")
    func healing() async throws {
        let system = FaultyFileSystem()
        let store = try await filledStore(system)
        for id in ["c1", "c2", "c3"] { try corruptPayload(system, store, id) }
        _ = try await scrub(store)
        #expect(store.statistics.corruptChunks == 3)
        #expect(await errorCode { _ = try await store.put(chunkID("c1"), [1]) } == .conflict)
        _ = try await store.put(chunkID("c1"), bytes(5000, seed: 1))
        #expect(try await store.delete(chunkID("c2")))
        #expect(try store.content(chunkID("c1")) == bytes(5000, seed: 1))
        #expect(store.corruptChunks == [chunkID("c3")])
        #expect(try await scrub(store).damagedFound == 0, "records that do not count may rot")
        store.close()
        let again = try openMemory(system)
        scrubber(again).stop()
        #expect(again.corruptChunks == [chunkID("c3")])
        #expect(try again.content(chunkID("c1")) == bytes(5000, seed: 1))
    }

    @Test(
        "a damaged head costs the chunk and the node's vote; the id is known where it can be read",
        arguments: [30, 128])
    func damagedHead(byte: Int) async throws {
        let system = FaultyFileSystem()
        let store = try await filledStore(system)
        try corruptHead(system, store, "c5", byte: byte)
        #expect(try await scrub(store).damagedFound == 1)
        #expect(store.statistics.corruptChunks == 1 && store.statistics.corruptRecords == 1)
        #expect(store.corruptChunks == (byte == 30 ? [chunkID("c5")] : []))
        #expect(await errorCode { _ = try store.read(chunkID("c5")) } == .corrupt)
        let ballot = Ballot(round: 1, proposer: 1)
        #expect(await errorCode { _ = try await store.prepare(chunkID("c5"), ballot) } == .forgetful)
        #expect(await errorCode { _ = try await store.prepare(chunkID("c6"), ballot) } == .forgetful)
        _ = try await store.put(chunkID("c5"), bytes(5000, seed: 5))
        #expect(try store.content(chunkID("c5")) == bytes(5000, seed: 5))
        #expect(store.statistics.corruptChunks == 0 && store.statistics.corruptRecords == 1)
        #expect(store.statistics.chunkBytes == 30 * 5000)
        store.close()
        let again = try openMemory(system)
        scrubber(again).stop()
        #expect(again.statistics.corruptRecords == 1)
        #expect(try again.content(chunkID("c5")) == bytes(5000, seed: 5))
        #expect(try await scrub(again).damagedFound == 0)
    }

    @Test("a chunk with a damaged head can be deleted")
    func deletingDamaged() async throws {
        let system = FaultyFileSystem()
        let store = try await filledStore(system)
        try corruptHead(system, store, "c5")
        #expect(await errorCode { _ = try store.read(chunkID("c5")) } == .corrupt)
        #expect(store.statistics.corruptChunks == 1 && store.statistics.corruptRecords == 1)
        #expect(try await store.delete(chunkID("c5")))
        #expect(try store.read(chunkID("c5")) == nil)
        #expect(store.statistics.corruptChunks == 0 && store.statistics.chunkCount == 29)
    }

    @Test("a lost tombstone is noticed: nothing in the index tells of it")
    func lostTombstone() async throws {
        let system = FaultyFileSystem()
        let store = try await filledStore(system, count: 3)
        let offset = try #require(store.state.withLock { $0.tails[1]?.end })
        _ = try await store.delete(chunkID("c1"))
        system.corrupt(firstSuperblock, at: offset + 40, with: [0xff, 0xff])
        #expect(try await scrub(store).damagedFound == 1)
        #expect(store.statistics.corruptRecords == 1)
    }

    @Test("a pass goes on in the next process where it stopped")
    func resuming() async throws {
        let system = FaultyFileSystem()
        let store = try await filledStore(system)
        let first = scrubber(store, rate: 1 << 14)
        while first.progress.chunksDone < 2 { await Task.yield() }
        first.stop()
        let stopped = first.progress
        #expect(stopped.bytesDone < stopped.bytesTotal)
        store.close()
        let again = try openMemory(system)
        let second = scrubber(again, rate: rate)
        let startedAt = try #require(second.progress.startedAt)
        while second.totals.passes == 0 { await Task.yield() }
        second.stop()
        #expect(abs(startedAt.seconds(since: try #require(stopped.startedAt))) < 0.01)
        #expect(second.progress.chunksDone == 30)
        #expect(second.totals.bytes <= stopped.bytesTotal - stopped.bytesDone + 6000, "only a record is read again")
    }

    @Test("a memory that is damaged, or another store's, is no memory")
    func foreignMemory() async throws {
        let system = FaultyFileSystem()
        let store = try await filledStore(system)
        try corruptPayload(system, store, "c7")
        _ = try await scrub(store)
        store.close()
        let text = String(decoding: system.contents("/store/scrub.json"), as: UTF8.self)
        let replacements = ["{", "", text.replacing(store.id.description, with: String(repeating: "0", count: 32))]
        for content in replacements {
            let other = system.copy()
            other.setContents("/store/scrub.json", Array(content.utf8))
            let again = try openMemory(other)
            scrubber(again).stop()
            #expect(again.statistics.corruptChunks == 0)
            #expect(try await scrub(again).damagedFound == 1, "it is found again")
        }
    }

    @Test("what a client's read finds damaged is remembered too")
    func foundByReading() async throws {
        let system = FaultyFileSystem()
        let store = try await filledStore(system)
        try corruptPayload(system, store, "c7")
        let first = scrubber(store)
        #expect(await errorCode { _ = try store.read(chunkID("c7")) } == .corrupt)
        first.stop()
        store.close()
        let again = try openMemory(system)
        scrubber(again).stop()
        #expect(again.corruptChunks == [chunkID("c7")])
    }

    @Test("without a rate, a pass needs one of its own")
    func needsRate() throws {
        let scrubber = scrubber(try openMemory(FaultyFileSystem()))
        defer { scrubber.stop() }
        #expect(throws: ChunkStoreError.self) { try scrubber.request() }
        #expect(scrubber.progress.state == .off)
    }

    @Test("names make room for others when they go")
    func names() {
        var quarantine = Quarantine()
        let keys = (0..<Quarantine.namesMax + 5).map { IndexKey(chunkID("n\($0)")) }
        for (number, key) in keys.enumerated() {
            let isNews = quarantine.add(key, Quarantine.Chunk(id: chunkID("n\(number)"), superblock: 1, offset: number))
            #expect(isNews)
        }
        #expect(quarantine.names.count == Quarantine.namesMax && quarantine.chunks.count == keys.count)
        quarantine.release(keys[0])
        #expect(quarantine.names.count == Quarantine.namesMax && !quarantine.names.contains(chunkID("n0")))
    }
}

@Suite("Reading what the disk has")
struct DiskReaderTests {
    private func residentPages(_ descriptor: Int32, _ byteCount: Int) throws -> Int {
        let address = try #require(mmap(nil, byteCount, PROT_READ, MAP_SHARED, descriptor, 0))
        defer { munmap(address, byteCount) }
        var flags = [UInt8](repeating: 0, count: byteCount / 4096)
        try #require(mincore(address, byteCount, &flags) == 0)
        return flags.count { $0 & 1 == 1 }
    }

    @Test("it gives the bytes and leaves memory as it was")
    func leavesCache() throws {
        let directory = TemporaryDirectory()
        let system = LinuxFileSystem()
        try system.createDirectory(directory.path)
        let path = directory.path + "/file"
        let file = try system.open(path, creating: true)
        let content = bytes(1 << 20, seed: 9)
        try content.withUnsafeBytes { try file.write($0, at: 0) }
        try file.synchronize()
        let descriptor = open(path, O_RDONLY)
        defer { close(descriptor) }
        posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
        // A file system that is memory itself has nothing to forget.
        let canForget = try residentPages(descriptor, content.count) == 0
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        #expect(try file.diskReader().read(into: buffer, at: 0) == content.count)
        #expect(buffer.elementsEqual(content))
        if canForget { #expect(try residentPages(descriptor, content.count) == 0) }
        let end = UnsafeMutableRawBufferPointer(rebasing: buffer[..<8192])
        #expect(try file.diskReader().read(into: end, at: (1 << 20) - 4096) == 4096)
        #expect(try file.diskReader().read(into: end, at: 1 << 20) == 0)
    }
}
