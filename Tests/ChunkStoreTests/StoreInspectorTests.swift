import Base
import ChunkPaxos
import Foundation
import SimulatedDisk
import Testing

@testable import ChunkStore

@Suite("Looking into a store without opening it")
struct StoreInspectorTests {
    private func check(_ system: FaultyFileSystem) throws -> StoreReport {
        try StoreInspector(directory: "/store", use: .alone, fileSystem: system).check { _, _ in }
    }

    private func inspect(_ system: FaultyFileSystem) throws -> StoreReport {
        try StoreInspector(directory: "/store", use: .beside, fileSystem: system).inspect()
    }

    @Test("what a crash cut off is no damage, and the rest is what the store finds when it opens", arguments: 0..<40)
    func afterCrash(seed: Int) async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system)
        for number in 0..<6 { _ = try await store.put(chunkID("c\(number)"), bytes(7000, seed: UInt64(number))) }
        _ = try await store.delete(chunkID("c2"))
        system.setFaults { $0.changesUntilCrash = seed % 7 }
        for number in 6..<12 { _ = try? await store.put(chunkID("c\(number)"), bytes(7000, seed: UInt64(number))) }
        let disk = system.afterCrash(seed: UInt64(seed))
        let before = disk.paths.map { disk.contents($0) }
        let report = try check(disk)
        #expect(report.isWhole, "\(report.damage)")
        #expect(disk.paths.map { disk.contents($0) } == before, "nothing was changed")
        let opened = try openMemory(disk)
        #expect(report.chunkCount == opened.chunkCount)
        #expect(report.chunkBytes == opened.statistics.chunkBytes)
        if opened.statistics.tornRecords > 0 { #expect(report.unfinishedBytes > 0) }
        opened.close()
        let mended = try check(disk)
        #expect(mended.isWhole && mended.unfinishedBytes == 0 && mended.chunkCount == report.chunkCount)
    }

    @Test("live and dead bytes are all the records' bytes")
    func shares() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system)
        for number in 0..<20 { _ = try await store.put(chunkID("c\(number)"), bytes(5000, seed: UInt64(number))) }
        for number in 0..<5 { _ = try await store.delete(chunkID("c\(number)")) }
        _ = try await store.prepare(chunkID("c9"), Ballot(round: 1, proposer: 7))
        store.close()
        for report in [try inspect(system), try check(system)] {
            #expect(report.chunkCount == 15 && report.superblocks.count > 1)
            let record = RecordHeader.length(idLength: 2, metadataLength: 0, payloadLength: 5000)
            #expect(report.liveBytes >= 15 * record && report.liveBytes < 15 * (record + 64) + 192)
            let headers = report.superblocks.count * SuperblockHeader.recordsOffset
            #expect(report.liveBytes + report.deadBytes + headers == report.sizeBytes)
            #expect(report.superblocks.map(\.tombstoneRecords).reduce(0, +) == 5)
            #expect(report.superblocks.map(\.acceptorRecords).reduce(0, +) == 1)
        }
    }

    @Test("what a node found damaged when it ran is damage, though the disk has recovered")
    func remembered() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system)
        _ = try await store.put(chunkID("a"), bytes(500, seed: 1))
        _ = try await store.put(chunkID("b"), bytes(500, seed: 2))
        let scrubber = Scrubber(store: store, options: Scrubber.Options()) { ForegroundLoad(requests: 0, bytes: 0) }
        scrubber.start()
        let place = try #require(try store.locate(chunkID("a"), in: .chunks, withMetadata: false)).header.place
        #expect(store.quarantine(IndexKey(chunkID("a")), chunkID("a"), superblock: 1, offset: place.offset))
        scrubber.stop()
        store.close()
        let damage = try check(system).damage
        #expect(damage.map(\.kind) == [.quarantined] && damage.map(\.chunk) == [chunkID("a")])
    }

    @Test("a node's lock is respected by a check, and only looked at by an inspection")
    func lock() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system)
        #expect(await errorCode { _ = try check(system) } == .inUse)
        #expect(try inspect(system).isInUse)
        store.close()
        let inspector = try StoreInspector(directory: "/store", use: .beside, fileSystem: system)
        #expect(try openMemory(system).chunkCount == 0)
        #expect(try inspector.inspect().isInUse == false, "as it was when it looked")
    }
}
