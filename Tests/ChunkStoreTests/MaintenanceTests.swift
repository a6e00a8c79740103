import Base
import Dispatch
import SimulatedDisk
import Testing

@testable import ChunkStore

@Suite("Upkeep that happens by itself")
struct MaintenanceTests {
    private var options: ChunkStore.Options {
        var options = ChunkStore.Options.tiny
        options.maintainsItself = true
        options.maintenanceInterval = .milliseconds(1)
        return options
    }

    @Test("a store from which most is deleted compacts itself, and goes on when it is opened again")
    func compaction() async throws {
        let system = FaultyFileSystem()
        var store = try openMemory(system, options)
        for number in 0..<40 { _ = try await store.put(chunkID("c\(number)"), bytes(3000, seed: UInt64(number))) }
        for number in 0..<38 { _ = try await store.delete(chunkID("c\(number)")) }
        while store.statistics.superblockCount > 2 { try await Task.sleep(for: .milliseconds(1)) }
        #expect(try store.content(chunkID("c39")) == bytes(3000, seed: 39))
        await store.closed()
        store = try openMemory(system, options)
        #expect(store.statistics.chunkCount == 2)
        await store.closed()
    }

    @Test("upkeep that cannot go on says why")
    func failure() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system, options)
        for number in 0..<12 { _ = try await store.put(chunkID("c\(number)"), bytes(3000, seed: UInt64(number))) }
        system.setFaults { $0.failsSynchronization = true }
        _ = try? await store.delete(chunkID("c1"))
        while store.statistics.upkeepFailure == nil { try await Task.sleep(for: .milliseconds(1)) }
        #expect(store.statistics.readOnlyReason != nil)
        await store.closed()
    }

    @Test("a checkpoint is due when reading what came since would take a moment, and a quarter of the entries")
    func policy() {
        #expect(!CheckpointPolicy.isDue(recordsSince: 65_535, entryCount: 0))
        #expect(CheckpointPolicy.isDue(recordsSince: 65_536, entryCount: 0))
        #expect(!CheckpointPolicy.isDue(recordsSince: 249_999, entryCount: 1_000_000))
        #expect(CheckpointPolicy.isDue(recordsSince: 250_000, entryCount: 1_000_000))
    }
}
