import Base
import ChunkPaxos
import Dispatch
import SimulatedDisk
import Synchronization
import Testing

@testable import ChunkStore

@Suite("Compaction")
struct CompactionTests {
    private func superblocks(_ system: FaultyFileSystem) -> [String] {
        system.paths.filter { $0.hasSuffix(".vsb") }
    }

    private func usedBytes(_ system: FaultyFileSystem) -> Int {
        superblocks(system).reduce(0) { $0 + system.contents($1).count }
    }

    private func content(_ number: Int) -> [UInt8] { bytes(3000, seed: UInt64(number)) }

    private func fill(_ store: ChunkStore, _ numbers: Range<Int>) async throws {
        for number in numbers { _ = try await store.put(chunkID("c\(number)"), content(number)) }
    }

    private func check(_ store: ChunkStore, _ numbers: Range<Int>, deleted: (Int) -> Bool) throws {
        for number in numbers {
            #expect(try store.content(chunkID("c\(number)")) == (deleted(number) ? nil : content(number)), "\(number)")
        }
    }

    @Test("what is deleted is given back, also by the superblock that was written to last; the rest is there")
    func givesBack() async throws {
        let system = FaultyFileSystem()
        var store = try openMemory(system, .tiny)
        try await fill(store, 0..<60)
        let isDeleted = { (number: Int) in number % 10 != 0 }
        for number in 0..<60 where isDeleted(number) { _ = try await store.delete(chunkID("c\(number)")) }
        let before = usedBytes(system)
        let report = try store.compact()
        #expect(report.superblocksRemoved >= 8)
        #expect(report.bytesMoved < before / 4)
        try check(store, 0..<60, deleted: isDeleted)
        #expect(store.statistics.deadBytes < store.statistics.liveBytes)
        for _ in 0..<2 {
            store.close()
            #expect(usedBytes(system) < before / 4)
            store = try openMemory(system, .tiny)
            try check(store, 0..<60, deleted: isDeleted)
            #expect(store.statistics.corruptRecords == 0 && store.statistics.lostSuperblocks == 0)
        }
    }

    @Test("a store from which everything is deleted ends with next to nothing on the disk")
    func empty() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system, .tiny)
        try await fill(store, 0..<40)
        for number in 0..<40 { _ = try await store.delete(chunkID("c\(number)")) }
        try store.compact()
        store.close()
        #expect(superblocks(system).count <= 2)
        #expect(usedBytes(system) < 8192 * 2 + 4096)
    }

    @Test("whoever reads keeps the bytes when their superblock goes")
    func readers() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system, .tiny)
        try await fill(store, 0..<12)
        let handle = try #require(try store.find(chunkID("c3")))
        let region = try handle.read()
        for number in 0..<11 { _ = try await store.delete(chunkID("c\(number)")) }
        try store.compact()
        #expect(!superblocks(system).contains(firstSuperblock))
        #expect(Array(region.bytes) == content(3))
        #expect(Array(try handle.read().bytes) == content(3))
    }

    @Test("deletions and writes beside compaction win over it")
    func beside() async throws {
        let system = FaultyFileSystem()
        var store = try openMemory(system, .tiny)
        try await fill(store, 0..<80)
        for number in stride(from: 0, to: 80, by: 2) { _ = try await store.delete(chunkID("c\(number)")) }
        let isDone = Atomic<Bool>(false)
        let compacting = DispatchGroup()
        onThread(compacting) { [store] in
            while !isDone.load(ordering: .relaxed) { _ = try? store.compact() }
        }
        for number in 0..<80 {
            if number % 4 == 1 { _ = try await store.delete(chunkID("c\(number)")) }
            if number % 4 == 2 { _ = try await store.put(chunkID("c\(number)"), content(number)) }
        }
        isDone.store(true, ordering: .relaxed)
        await withCheckedContinuation { done in compacting.notify(queue: .global()) { done.resume() } }
        let isDeleted = { (number: Int) in number % 4 < 2 }
        try check(store, 0..<80, deleted: isDeleted)
        store.close()
        store = try openMemory(system, .tiny)
        try check(store, 0..<80, deleted: isDeleted)
    }

    @Test("a tombstone moves on for as long as what it deletes stands elsewhere, and goes with it")
    func tombstones() async throws {
        let system = FaultyFileSystem()
        var options = ChunkStore.Options.tiny
        // Nothing is compacted for being half empty.
        options.compactionLivePercent = 20
        var store = try openMemory(system, options)
        // The first superblock keeps enough that it stays; the chunk that is deleted stands in it.
        try await fill(store, 0..<6)
        #expect(store.state.withLock { $0.activeNumber } == 2)
        for number in [0, 5] { _ = try await store.delete(chunkID("c\(number)")) }
        for number in 6..<20 {
            _ = try await store.put(chunkID("c\(number)"), content(number))
            _ = try await store.delete(chunkID("c\(number)"))
        }
        try store.compact()
        #expect(superblocks(system).contains(firstSuperblock))
        #expect(!superblocks(system).contains("/store/superblocks/000002.vsb"))
        #expect(store.state.withLock { $0.usages.byNumber.values.reduce(0) { $0 + $1.plainTombstoneBytes } } > 0)
        store.close()
        store = try openMemory(system, options)
        #expect(try store.contains(chunkID("c0")) == false)

        for number in 1..<5 { _ = try await store.delete(chunkID("c\(number)")) }
        try store.compact()
        try store.compact()
        #expect(!superblocks(system).contains(firstSuperblock))
        store.close()
        store = try openMemory(system, options)
        #expect(store.chunkCount == 0)
    }

    @Test("what acceptors promised and accepted moves on, with the chunk or without it")
    func acceptors() async throws {
        let system = FaultyFileSystem()
        var store = try openMemory(system, .tiny)
        for number in 0..<30 {
            let id = chunkID("c\(number)")
            _ = try await store.put(id, content(number), acceptance: accepted(0, 7, "value \(number)"))
            if number % 3 == 0 { _ = try await store.prepare(id, Ballot(round: 4, proposer: 9)) }
        }
        for number in 0..<28 { _ = try await store.delete(chunkID("c\(number)")) }
        #expect(try store.compact().superblocksRemoved > 2)
        for _ in 0..<2 {
            for number in 0..<30 {
                let acceptor = try store.acceptor(chunkID("c\(number)")).acceptor
                #expect(acceptor.accepted == accepted(0, 7, "value \(number)"))
                #expect(try store.acceptor(chunkID("c\(number)")).configuration == alone)
                #expect(
                    acceptor.promised
                        == (number % 3 == 0 ? Ballot(round: 4, proposer: 9) : Ballot(round: 0, proposer: 7)))
            }
            store.close()
            store = try openMemory(system, .tiny)
        }
    }

    @Test("a superblock that compaction did not remove, and that is missing, is a loss that is told")
    func lostSuperblock() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system, .tiny)
        try await fill(store, 0..<40)
        for number in 0..<20 { _ = try await store.delete(chunkID("c\(number)")) }
        try store.compact()
        store.close()
        #expect(!superblocks(system).contains(firstSuperblock))
        try system.remove(superblocks(system)[1])
        let again = try openMemory(system, .tiny)
        #expect(again.statistics.lostSuperblocks == 1)
        #expect(again.statistics.corruptRecords == 1)
        #expect(
            await errorCode { _ = try await again.prepare(chunkID("new"), Ballot(round: 1, proposer: 1)) } == .forgetful
        )
        // Nobody knows what tombstones hide in the lost one, should it come back.
        for number in 20..<40 { _ = try await again.delete(chunkID("c\(number)")) }
        let before = again.state.withLock { $0.usages.byNumber.values.reduce(0) { $0 + $1.tombstoneBytes } }
        try again.compact()
        #expect(again.state.withLock { $0.usages.byNumber.values.reduce(0) { $0 + $1.tombstoneBytes } } == before)
    }

    @Test("a chunk that rotted is not moved and not lost sight of; its superblock stays until it is mended")
    func rot() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system, .tiny)
        try await fill(store, 0..<16)
        let place = try #require(try store.locate(chunkID("c1"), in: .chunks, withMetadata: false)).header.place
        for number in 2..<14 { _ = try await store.delete(chunkID("c\(number)")) }
        system.corrupt(
            firstSuperblock, at: place.offset + 200, with: [~system.contents(firstSuperblock)[place.offset + 200]])
        try store.compact()
        #expect(superblocks(system).contains(firstSuperblock))
        #expect(store.corruptChunks == [chunkID("c1")])
        #expect(try store.content(chunkID("c0")) == content(0))
        #expect(try store.content(chunkID("c15")) == content(15))
        _ = try await store.put(chunkID("c1"), content(1))
        try store.compact()
        #expect(!superblocks(system).contains(firstSuperblock))
        #expect(try store.content(chunkID("c1")) == content(1))
    }

    @Test("a record that cannot be read any more keeps its superblock, and is told as damage")
    func damage() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system, .tiny)
        try await fill(store, 0..<16)
        let place = try #require(try store.locate(chunkID("c1"), in: .chunks, withMetadata: false)).header.place
        for number in 2..<14 { _ = try await store.delete(chunkID("c\(number)")) }
        system.corrupt(firstSuperblock, at: place.offset + 30, with: [0xff])
        try store.compact()
        #expect(superblocks(system).contains(firstSuperblock))
        #expect(store.statistics.corruptRecords == 1)
        try store.compact()
        #expect(store.statistics.corruptRecords == 1)
    }

    @Test("a full disk takes deletions, and compaction makes room for new chunks")
    func fullDisk() async throws {
        let system = FaultyFileSystem()
        var options = ChunkStore.Options.tiny
        options.reserveBytes = 20 * 1024
        let store = try openMemory(system, options)
        system.setFaults { $0.freeBytes = 200 * 1024 }
        var count = 0
        while await errorCode({ _ = try await store.put(chunkID("c\(count)"), content(count)) }) == nil { count += 1 }
        #expect(count > 30)
        #expect(
            await errorCode { _ = try await store.put(chunkID("more"), content(0)) } == .insufficientStorage)
        for number in 0..<count where number % 3 != 0 { _ = try await store.delete(chunkID("c\(number)")) }
        try store.compact()
        try check(store, 0..<count) { $0 % 3 != 0 }
        _ = try await store.put(chunkID("more"), content(0))
        store.close()
        try check(try openMemory(system, options), 0..<count) { $0 % 3 != 0 }
    }

    @Test("a failed synchronization while compacting makes the store read-only and removes nothing")
    func failedSynchronization() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system, .tiny)
        try await fill(store, 0..<16)
        for number in 1..<14 { _ = try await store.delete(chunkID("c\(number)")) }
        let before = superblocks(system)
        system.setFaults { $0.failsSynchronization = true }
        #expect(await errorCode { try store.compact() } == .readOnly)
        #expect(superblocks(system) == before)
        #expect(store.statistics.readOnlyReason != nil)
        try check(store, 0..<16) { 1..<14 ~= $0 }
    }
}
