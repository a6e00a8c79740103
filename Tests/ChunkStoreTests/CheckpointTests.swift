import Base
import ChunkPaxos
import Digests
import Dispatch
import SimulatedDisk
import Synchronization
import Testing

@testable import ChunkStore

@Suite("Checkpoints")
struct CheckpointTests {
    private func content(_ number: Int) -> [UInt8] { bytes(2500, seed: UInt64(number)) }

    /// A store with 30 chunks in several superblocks, some deleted, some with an acceptor's state; closed.
    private func closedStore() async throws -> FaultyFileSystem {
        let system = FaultyFileSystem()
        let store = try openMemory(system, .tiny)
        for number in 0..<30 {
            let acceptance = number % 5 == 0 ? accepted(0, 7, "value \(number)") : nil
            _ = try await store.put(chunkID("c\(number)"), content(number), acceptance: acceptance)
        }
        for number in 0..<30 where number % 3 == 0 { _ = try await store.delete(chunkID("c\(number)")) }
        _ = try await store.prepare(chunkID("c1"), Ballot(round: 3, proposer: 2))
        store.close()
        return system
    }

    private func check(_ store: ChunkStore) throws {
        for number in 0..<30 {
            #expect(try store.content(chunkID("c\(number)")) == (number % 3 == 0 ? nil : content(number)), "\(number)")
            guard number % 5 == 0 else { continue }
            #expect(try store.acceptor(chunkID("c\(number)")).acceptor.accepted == accepted(0, 7, "value \(number)"))
        }
        #expect(try store.acceptor(chunkID("c1")).acceptor.promised == Ballot(round: 3, proposer: 2))
        #expect(store.statistics.chunkCount == 20)
    }

    @Test("a closed store opens from its checkpoint, and holds and counts what a scan finds")
    func sameAsScan() async throws {
        let system = try await closedStore()
        let scanned = system.copy()
        try scanned.remove(checkpointPath)
        let store = try openMemory(system, .tiny)
        let other = try openMemory(scanned, .tiny)
        #expect(store.statistics.openingMode == .checkpoint && other.statistics.openingMode == .scan)
        try check(store)
        try check(other)
        let usages = [store, other].map { $0.state.withLock { $0.usages.byNumber } }
        #expect(usages[0] == usages[1])
        #expect(store.statistics.liveBytes == other.statistics.liveBytes)
        #expect(store.statistics.chunkBytes == other.statistics.chunkBytes)
    }

    @Test("what came after a checkpoint counts: chunks, deletions, promises, and superblocks that were begun")
    func tail() async throws {
        let system = try await closedStore()
        let store = try openMemory(system, .tiny)
        try store.checkpoint()
        for number in 30..<45 { _ = try await store.put(chunkID("c\(number)"), content(number)) }
        for number in [1, 30] { _ = try await store.delete(chunkID("c\(number)")) }
        _ = try await store.prepare(chunkID("c2"), Ballot(round: 8, proposer: 1))
        let again = try openMemory(system.copy(), .tiny)
        #expect(again.statistics.openingMode == .checkpoint)
        for number in [1, 30] { #expect(try again.contains(chunkID("c\(number)")) == false) }
        for number in 31..<45 { #expect(try again.content(chunkID("c\(number)")) == content(number)) }
        #expect(try again.content(chunkID("c2")) == content(2))
        #expect(try again.acceptor(chunkID("c1")).acceptor.promised == Ballot(round: 3, proposer: 2))
        #expect(try again.acceptor(chunkID("c2")).acceptor.promised == Ballot(round: 8, proposer: 1))
    }

    @Test("a checkpoint with any byte changed, or cut anywhere, is noticed, and the log is read instead")
    func damaged() async throws {
        let system = try await closedStore()
        let whole = system.contents(checkpointPath)
        for offset in stride(from: 0, to: whole.count, by: 3) {
            let damaged = system.copy()
            damaged.corrupt(checkpointPath, at: offset, with: [whole[offset] ^ 0x10])
            let store = try openMemory(damaged, .tiny)
            #expect(store.statistics.openingMode == .scan, "\(offset)")
            #expect(store.statistics.chunkCount == 20 && store.statistics.corruptRecords == 0)
        }
        for length in stride(from: 0, to: whole.count, by: 31) {
            let cut = system.copy()
            cut.setContents(checkpointPath, Array(whole[..<length]))
            let store = try openMemory(cut, .tiny)
            #expect(store.statistics.openingMode == .scan, "\(length)")
            #expect(store.statistics.chunkCount == 20 && store.statistics.corruptRecords == 0)
        }
    }

    @Test("an old checkpoint that came back is noticed when superblocks were compacted since, and useful otherwise")
    func stale() async throws {
        let system = try await closedStore()
        let old = system.contents(checkpointPath)
        var store = try openMemory(system, .tiny)
        for number in 30..<40 { _ = try await store.put(chunkID("c\(number)"), content(number)) }
        store.close()
        let grown = system.copy()
        grown.setContents(checkpointPath, old)
        let other = try openMemory(grown, .tiny)
        #expect(other.statistics.openingMode == .checkpoint && other.statistics.chunkCount == 30)

        store = try openMemory(system, .tiny)
        for number in 0..<20 { _ = try await store.delete(chunkID("c\(number)")) }
        #expect(try store.compact().superblocksRemoved > 0)
        store.close()
        system.setContents(checkpointPath, old)
        let again = try openMemory(system, .tiny)
        #expect(again.statistics.openingMode == .scan)
        #expect(again.statistics.lostSuperblocks == 0 && again.statistics.corruptRecords == 0)
        for number in 0..<20 { #expect(try again.contains(chunkID("c\(number)")) == false) }
        for number in 20..<40 where number >= 30 || number % 3 != 0 {
            #expect(try again.content(chunkID("c\(number)")) == content(number))
        }
    }

    @Test("the checkpoint of another store is not used")
    func foreign() async throws {
        let system = try await closedStore()
        let other = FaultyFileSystem()
        try openMemory(other, .tiny).close()
        system.setContents(checkpointPath, other.contents(checkpointPath))
        let store = try openMemory(system, .tiny)
        #expect(store.statistics.openingMode == .scan)
        try check(store)
    }

    @Test("superblocks that the checkpoint knew and that are missing, cut or swapped are a loss that is told for good")
    func lostSuperblocks() async throws {
        let system = try await closedStore()
        let superblocks = system.paths.filter { $0.hasSuffix(".vsb") }
        #expect(superblocks.count >= 4)
        for (index, path) in superblocks.enumerated() {
            for harm in 0..<3 {
                let harmed = system.copy()
                let bytes = harmed.contents(path)
                switch harm {
                case 0: try harmed.remove(path)
                case 1: harmed.setContents(path, Array(bytes[..<8192]))
                default:
                    let fresh = FaultyFileSystem()
                    fresh.setContents("/store/store.id", harmed.contents("/store/store.id"))
                    let number = try #require(Superblock.number(inFileName: String(path.suffix(10))))
                    let id = try #require(
                        StoreID(String(decoding: harmed.contents("/store/store.id").dropLast(), as: UTF8.self)))
                    let header = SuperblockHeader(
                        number: number, store: id, createdAt: Timestamp(nanoseconds: 0), salt: 99)
                    harmed.setContents(path, header.encodedFile())
                }
                for opening in 0..<2 {
                    let store = try openMemory(harmed, .tiny)
                    #expect(store.statistics.corruptRecords > 0, "superblock \(index), harm \(harm), \(opening)")
                    #expect(store.statistics.chunkCount < 20 || index == superblocks.count - 1)
                    #expect(
                        await errorCode { _ = try await store.prepare(chunkID("new"), Ballot(round: 9, proposer: 1)) }
                            == .forgetful)
                    store.close()
                }
                // Without the checkpoint the log itself still tells, but for a file that passes for another one.
                if harm < 2 {
                    try harmed.remove(checkpointPath)
                    #expect(try openMemory(harmed, .tiny).statistics.corruptRecords > 0, "\(index), \(harm)")
                }
            }
        }
    }

    @Test("damage that a scan found is not forgotten by opening from a checkpoint")
    func damageIsKept() async throws {
        let system = try await closedStore()
        system.corrupt(firstSuperblock, at: 8192 + 40, with: [0xff])
        try system.remove(checkpointPath)
        var store = try openMemory(system, .tiny)
        let found = (store.statistics.corruptRecords, store.statistics.corruptRecordBytes)
        #expect(found.0 == 1 && found.1 > 0)
        _ = try await store.put(chunkID("more"), [1])
        store.close()
        store = try openMemory(system, .tiny)
        #expect(store.statistics.openingMode == .checkpoint)
        #expect((store.statistics.corruptRecords, store.statistics.corruptRecordBytes) == found)
    }

    @Test("a checkpoint taken while everything changes is right")
    func beside() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system, .tiny)
        let isDone = Atomic<Bool>(false)
        let writing = DispatchGroup()
        onThread(writing) {
            while !isDone.load(ordering: .relaxed) { try? store.checkpoint() }
        }
        for round in 0..<3 {
            for number in 0..<40 {
                if (number + round) % 3 == 0 {
                    _ = try await store.delete(chunkID("c\(number)"))
                } else {
                    _ = try await store.put(
                        chunkID("c\(number)"), Array(content(number).prefix(700)),
                        acceptance: number % 2 == 0 ? accepted(0, 1, "v") : nil)
                }
            }
            let copy = system.copy()
            let again = try openMemory(copy, .tiny)
            for number in 0..<40 {
                let isThere = (number + round) % 3 != 0
                #expect(try again.contains(chunkID("c\(number)")) == isThere, "\(round), \(number)")
            }
        }
        isDone.store(true, ordering: .relaxed)
        await withCheckedContinuation { done in writing.notify(queue: .global()) { done.resume() } }
    }

    @Test("a full disk keeps no store from closing, opening or compacting; only the checkpoint is missing")
    func fullDisk() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system, .tiny)
        for number in 0..<20 { _ = try await store.put(chunkID("c\(number)"), content(number)) }
        for number in 0..<19 { _ = try await store.delete(chunkID("c\(number)")) }
        system.setFaults { $0.freeBytes = 0 }
        #expect(await errorCode { try store.checkpoint() } == .insufficientStorage)
        store.close()
        system.setFaults { $0.freeBytes = 0 }
        let again = try openMemory(system, .tiny)
        #expect(try again.compact().superblocksRemoved > 0)
        #expect(try again.content(chunkID("c19")) == content(19))
    }
}
