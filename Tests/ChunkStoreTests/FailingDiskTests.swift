import Base
import ChunkPaxos
import Foundation
import Glibc
import SimulatedDisk
import Synchronization
import Testing

@testable import ChunkStore

@Suite("A disk that fails")
struct FailingDiskTests {
    @Test("names that a killed process left unsynchronized are made durable before anything is acknowledged")
    func unsynchronizedNames() async throws {
        for directory in ["/store", "/store/superblocks"] {
            let system = FaultyFileSystem()
            let isFirst = Atomic<Bool>(true)
            system.watch { step in
                // Of the two synchronizations of each directory the first comes before anything was made.
                guard step.operation == .synchronizeDirectory, step.path == directory else { return .done }
                return isFirst.exchange(false, ordering: .relaxed) ? .done : .failed(.broken)
            }
            #expect(await errorCode { _ = try openMemory(system) } == .io)
            system.watch(nil)
            let store = try openMemory(system)
            _ = try await store.put(chunkID("a"), [1])
            for seed in 0..<32 as Range<UInt64> {
                #expect(try openMemory(system.afterCrash(seed: seed)).content(chunkID("a")) == [1])
            }
        }
    }

    @Test("what follows a marker whose synchronization failed is not taken for the end of a damaged stretch")
    func lostMarker() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system)
        _ = try await store.put(chunkID("a"), [1])
        system.setFaults { $0.failsSynchronization = true }
        store.close()
        system.setFaults { $0.failsSynchronization = false }
        let again = try openMemory(system)
        _ = try await again.put(chunkID("b"), [2])
        for seed in 0..<32 as Range<UInt64> {
            let third = try openMemory(system.afterCrash(seed: seed))
            #expect(third.statistics.corruptRecords == 0)
            #expect(try third.content(chunkID("a")) == [1])
            #expect(try third.content(chunkID("b")) == [2])
        }
    }

    @Test("opening and closing a store many times does not make it longer")
    func markersDoNotPileUp() async throws {
        let system = FaultyFileSystem()
        var sizes: Set<Int> = []
        for _ in 0..<4 {
            let store = try openMemory(system)
            _ = try await store.put(chunkID("a"), [1])
            store.close()
            sizes.insert(system.contents(firstSuperblock).count)
        }
        #expect(sizes.count == 1)
    }

    @Test("64 bytes between two records are no damage: no record is so short; 128 are an unfinished write")
    func shortGap() async throws {
        for (gapBytes, tornRecords) in [(64, 0), (128, 1)] {
            let system = FaultyFileSystem()
            let store = try openMemory(system)
            _ = try await store.put(chunkID("a"), [1])
            store.close()
            let superblock = try #require(store.state.withLock { $0.superblocks[1] })
            let start = try superblock.file.size() + gapBytes
            try VoidRecord(
                superblock: superblock, range: start..<start + RecordHeader.byteCount, sequence: 0,
                durableOffset: SuperblockHeader.recordsOffset, storedAt: Timestamp(nanoseconds: 0)
            ).write()
            let again = try openMemory(system)
            #expect(again.statistics.corruptRecords == 0)
            #expect(again.statistics.tornRecords == tornRecords)
            #expect(try again.content(chunkID("a")) == [1])
        }
    }

    @Test("a change that waited while the disk failed promises nothing")
    func waitingChange() throws {
        let system = FaultyFileSystem()
        var options = ChunkStore.Options.small
        let steps = StepQueue()
        options.steps = steps
        let store = try openMemory(system, options)
        let answers = Locked<[String]>([])
        let writer = try store.write(chunkID("a"))
        try [1].withUnsafeBytes { try writer.append($0) }
        writer.finish { result in answers.withLock { $0.append("put \(result.code)") } }
        store.delete(chunkID("a")) { result in answers.withLock { $0.append("delete \(result.code)") } }
        system.setFaults { $0.failsSynchronization = true }
        steps.runAll()
        // The bytes may or may not be there after a restart, so that "there is no such chunk" would be a guess.
        #expect(answers.withLock { $0 } == ["put readOnly", "delete readOnly"])
    }

    @Test("a write that breaks off in the middle makes the store read-only; one that never began does not")
    func brokenWrite() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system)
        let writtenBytes = Atomic<Int>(0)
        let isFailing = Atomic<Bool>(true)
        system.watch { step in
            guard case .write = step.operation, isFailing.exchange(false, ordering: .relaxed) else { return .done }
            return .failed(.broken, writtenBytes: writtenBytes.load(ordering: .relaxed))
        }
        #expect(await errorCode { _ = try await store.put(chunkID("a"), [1]) } == .io)
        _ = try await store.put(chunkID("a"), [1])
        writtenBytes.store(200, ordering: .relaxed)
        isFailing.store(true, ordering: .relaxed)
        #expect(await errorCode { _ = try await store.put(chunkID("b"), [2]) } == .io)
        #expect(await errorCode { _ = try await store.delete(chunkID("b")) } == .readOnly)
        #expect(store.statistics.readOnlyReason?.contains("broke off") == true)
        #expect(try store.content(chunkID("a")) == [1])
    }

    @Test("pages that a mapping has touched are dropped from the cache too", .enabled(if: temporaryFilesAreOnDisk))
    func dropCache() throws {
        let directory = TemporaryDirectory()
        let system = LinuxFileSystem()
        try system.createDirectory(directory.path)
        let file = try system.open("\(directory.path)/file", creating: true)
        try [UInt8](repeating: 7, count: 3 * 4096).withUnsafeBytes { try file.write($0, at: 0) }
        try file.synchronize()
        let mapping = try file.map(byteCount: 3 * 4096)
        #expect(mapping.bytes.allSatisfy { $0 == 7 })
        #expect(residentPages(mapping) == [true, true, true])
        file.dropCache(from: 4096 + 5, mapping: mapping)
        #expect(residentPages(mapping) == [false, false, false])
        #expect(mapping.bytes.allSatisfy { $0 == 7 })
    }
}

/// Which pages of the mapping are in memory.
private func residentPages(_ mapping: any FileMapping) -> [Bool] {
    var pages = [UInt8](repeating: 0, count: mapping.bytes.count / 4096)
    guard mincore(UnsafeMutableRawPointer(mutating: mapping.bytes.baseAddress), mapping.bytes.count, &pages) == 0 else {
        return []
    }
    return pages.map { $0 & 1 == 1 }
}

/// A file system in memory has nothing but its cache, and never drops it.
private let temporaryFilesAreOnDisk: Bool = {
    guard let file = tmpfile() else { return false }
    defer { fclose(file) }
    let descriptor = fileno(file)
    guard pwrite(descriptor, [1], 1, 0) == 1, fsync(descriptor) == 0 else { return false }
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
    guard let address = mmap(nil, 4096, PROT_READ, MAP_SHARED, descriptor, 0), address != MAP_FAILED else {
        return false
    }
    defer { munmap(address, 4096) }
    var page: UInt8 = 0
    return mincore(address, 4096, &page) == 0 && page & 1 == 0
}()

extension Result where Failure == ChunkStoreError {
    fileprivate var code: String {
        if case .failure(let error) = self { "\(error.code)" } else { "done" }
    }
}
