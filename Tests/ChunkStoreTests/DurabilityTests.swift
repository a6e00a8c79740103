import Base
import ChunkPaxos
import Digests
import Foundation
import SimulatedDisk
import Synchronization
import Testing

@testable import ChunkStore

@Suite("Durable before it is said")
struct DurabilityTests {
    @Test("64 writes that come while the disk is busy share one synchronization")
    func groupCommit() throws {
        let system = FaultyFileSystem()
        var options = ChunkStore.Options.small
        options.superblockBytesMax = 1 << 19
        options.preallocationBytesMax = 1 << 19
        let store = try openMemory(system, options)
        let before = store.statistics.synchronizations
        let gate = DispatchSemaphore(value: 0)
        let isFirst = Atomic<Bool>(true)
        system.setFaults { faults in
            faults.beforeSynchronization = {
                if isFirst.exchange(false, ordering: .relaxed) { gate.wait() }
            }
        }
        let done = DispatchGroup()
        let acknowledged = Atomic<Int>(0)
        for number in 0..<64 {
            let writer = try store.write(chunkID("c\(number)"))
            try bytes(4096, seed: UInt64(number)).withUnsafeBytes { try writer.append($0) }
            done.enter()
            writer.finish { result in
                if case .success = result { acknowledged.wrappingAdd(1, ordering: .relaxed) }
                done.leave()
            }
        }
        #expect(acknowledged.load(ordering: .relaxed) == 0)
        #expect(try store.contains(chunkID("c0")) == false)
        gate.signal()
        done.wait()
        #expect(acknowledged.load(ordering: .relaxed) == 64)
        // One when the syncer began after the last of them, else the one that was held up and one for the others.
        #expect(store.statistics.synchronizations - before <= 2)
    }

    @Test("a second PUT of bytes that are written and not yet durable waits for them")
    func duplicateWaits() throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system)
        let gate = DispatchSemaphore(value: 0)
        system.setFaults { $0.beforeSynchronization = { gate.wait() } }
        let outcomes = Locked<[String]>([])
        let done = DispatchGroup()
        for content in [[1, 2], [1, 2], [3]] as [[UInt8]] {
            let writer = try store.write(chunkID("a"))
            try content.withUnsafeBytes { try writer.append($0) }
            done.enter()
            writer.finish { result in
                let text =
                    switch result {
                    case .success(.created): "created"
                    case .success(.existing): "existing"
                    case .failure(let error): "\(error.code)"
                    }
                outcomes.withLock { $0.append(text) }
                done.leave()
            }
        }
        #expect(outcomes.withLock { $0 }.isEmpty)
        gate.signal()
        done.wait()
        #expect(outcomes.withLock { $0.sorted() } == ["conflict", "created", "existing"])
        #expect(system.counts.dataSynchronizations == 3, "the superblock's, the identity's, and one for the chunk")
        system.setFaults { $0.beforeSynchronization = nil }
    }

    @Test("a failed synchronization fails its group and makes the store read-only until it is opened again")
    func failedSynchronization() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system)
        _ = try await store.put(chunkID("before"), [1])
        system.setFaults { $0.failsSynchronization = true }
        #expect(await errorCode { _ = try await store.put(chunkID("a"), [2]) } == .readOnly)
        system.setFaults { $0.failsSynchronization = false }
        #expect(await errorCode { _ = try await store.put(chunkID("b"), [3]) } == .readOnly)
        #expect(await errorCode { _ = try await store.delete(chunkID("before")) } == .readOnly)
        #expect(
            await errorCode { _ = try await store.prepare(chunkID("b"), Ballot(round: 1, proposer: 1)) } == .readOnly)
        #expect(store.statistics.readOnlyReason?.isEmpty == false)
        #expect(try store.content(chunkID("before")) == [1])
        #expect(try store.contains(chunkID("a")) == false)
        store.close()
        let again = try openMemory(system)
        #expect(again.statistics.readOnlyReason == nil)
        _ = try await again.put(chunkID("a"), [2])
    }

    @Test("a full disk refuses writes, loses nothing, and takes them again when there is room")
    func fullDisk() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system)
        _ = try await store.put(chunkID("before"), bytes(5000, seed: 0))
        system.setFaults { $0.freeBytes = 0 }
        var refused: [Int] = []
        for number in 0..<20 {
            let code = await errorCode {
                _ = try await store.put(chunkID("c\(number)"), bytes(5000, seed: UInt64(number)))
            }
            if code == .insufficientStorage { refused.append(number) } else { #expect(code == nil) }
        }
        #expect(refused.count > 10)
        system.setFaults { $0.freeBytes = nil }
        for number in refused { _ = try await store.put(chunkID("c\(number)"), bytes(5000, seed: UInt64(number))) }
        store.close()
        let again = try openMemory(system)
        #expect(try again.content(chunkID("before")) == bytes(5000, seed: 0))
        for number in 0..<20 { #expect(try again.content(chunkID("c\(number)")) == bytes(5000, seed: UInt64(number))) }
        #expect(again.statistics.corruptRecords == 0)
    }

    @Test("a failed synchronization of a new superblock makes the store read-only too")
    func failedSynchronizationOfSuperblock() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system)
        for number in 0..<3 { _ = try await store.put(chunkID("c\(number)"), bytes(16_000, seed: UInt64(number))) }
        system.setFaults { $0.failsSynchronization = true }
        #expect(await errorCode { _ = try await store.put(chunkID("c3"), bytes(16_000, seed: 3)) } == .readOnly)
        system.setFaults { $0.failsSynchronization = false }
        #expect(await errorCode { _ = try await store.put(chunkID("small"), [1]) } == .readOnly)
        #expect(store.statistics.superblockCount == 1, "the new one does not count")
    }

    @Test("a full disk is known until there is room for a chunk, found by a write or by looking")
    func fullDiskIsKnown() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system)
        #expect(!store.statistics.isDiskFull)
        for looking in [true, false] {
            system.setFaults { $0.freeBytes = 0 }
            var number = 0
            while !store.statistics.isDiskFull {
                _ = await errorCode { _ = try await store.put(chunkID("\(looking)-\(number)"), bytes(9000, seed: 1)) }
                number += 1
            }
            store.lookForSpace()
            #expect(store.statistics.isDiskFull)
            system.setFaults { $0.freeBytes = nil }
            if looking { store.lookForSpace() } else { _ = try await store.put(chunkID("room"), bytes(9000, seed: 1)) }
            #expect(!store.statistics.isDiskFull)
        }
    }

    @Test("a little room is used when there is less than is reserved ahead")
    func littleRoom() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system)
        system.setFaults { $0.freeBytes = 3000 }
        _ = try await store.put(chunkID("a"), bytes(2000, seed: 1))
        #expect(await errorCode { _ = try await store.put(chunkID("b"), bytes(2000, seed: 2)) } == .insufficientStorage)
        #expect(try store.content(chunkID("a")) == bytes(2000, seed: 1))
    }

    @Test("more bodies at once than there are buffers are told to come back")
    func buffers() async throws {
        var options = ChunkStore.Options.small
        options.writersMax = 2
        let store = try openMemory(FaultyFileSystem(), options)
        let first = try store.write(chunkID("a"))
        let second = try store.write(chunkID("b"))
        try [1].withUnsafeBytes { try first.append($0) }
        try [1].withUnsafeBytes { try second.append($0) }
        #expect(await errorCode { _ = try await store.put(chunkID("c"), [1]) } == .busy)
        first.abort()
        _ = try await store.put(chunkID("c"), [1])
        #expect(try store.contains(chunkID("a")) == false)
    }

    /// Whether a record that says so stands behind all that is durable, and is written itself.
    private func isAnnounced(_ tail: LogTail?) -> Bool { tail.map { $0.isQuiet && !$0.wantsMarker } ?? false }

    @Test("a quiet store writes down that its last chunks are durable")
    func idleMarker() async throws {
        let system = FaultyFileSystem()
        var options = ChunkStore.Options.small
        options.markerDelay = .milliseconds(1)
        let store = try openMemory(system, options)
        _ = try await store.put(chunkID("a"), bytes(100, seed: 1))
        while store.state.withLock({ !isAnnounced($0.tails[1]) }) { await Task.yield() }
        let copy = system.copy()
        let payload = SuperblockHeader.recordsOffset + RecordHeader.payloadOffset(idLength: 1, metadataLength: 0)
        copy.corrupt(firstSuperblock, at: payload, with: [~bytes(100, seed: 1)[0]])
        let again = try openMemory(copy)
        #expect(again.statistics.chunkCount == 1)
        #expect(await errorCode { _ = try again.read(chunkID("a")) } == .corrupt)
    }
}
