import Base
import ChunkPaxos
import Digests
import Foundation
import SimulatedDisk
import Synchronization
import Testing

@testable import ChunkStore

@Suite("What the log says after a crash, and after damage")
struct RecoveryTests {
    /// Three chunks in one superblock, as a crash leaves them, and where each record begins.
    private func threeChunks(lastBytes: Int = 300) async throws -> (FaultyFileSystem, offsets: [Int]) {
        let system = FaultyFileSystem()
        let store = try openMemory(system)
        var offsets: [Int] = []
        for (number, count) in [1000, 700, lastBytes].enumerated() {
            offsets.append(try #require(store.state.withLock { $0.tails[1]?.end }))
            _ = try await store.put(chunkID("c\(number)"), bytes(count, seed: UInt64(number)))
        }
        offsets.append(try #require(store.state.withLock { $0.tails[1]?.end }))
        return (system.copy(), offsets)
    }

    @Test("a tail torn at any byte of the last record is cut, and everything before survives")
    func tornTail() async throws {
        let (system, offsets) = try await threeChunks()
        let whole = Array(system.contents(firstSuperblock)[..<offsets[3]])
        let recordEnd = offsets[2] + RecordHeader.payloadOffset(idLength: 2, metadataLength: 0) + 300
        for length in offsets[2]...offsets[3] {
            let torn = system.copy()
            torn.setContents(firstSuperblock, Array(whole[..<length]))
            let store = try openMemory(torn)
            #expect(try store.content(chunkID("c0")) == bytes(1000, seed: 0))
            #expect(try store.content(chunkID("c1")) == bytes(700, seed: 1))
            #expect(try store.contains(chunkID("c2")) == (length == offsets[3]), "\(length)")
            #expect(store.statistics.corruptRecords == 0)
            #expect(store.statistics.tornRecords == (length == offsets[2] || length == offsets[3] ? 0 : 1), "\(length)")
            _ = try await store.put(chunkID("c2"), bytes(300, seed: 2))
            store.close()
            #expect(try openMemory(torn).content(chunkID("c2")) == bytes(300, seed: 2))
        }
        #expect(recordEnd < offsets[3])
    }

    @Test("the last record with any byte of its payload lost is not taken for whole")
    func lostPayload() async throws {
        let (system, offsets) = try await threeChunks()
        let payload = offsets[2] + RecordHeader.payloadOffset(idLength: 2, metadataLength: 0)
        for offset in stride(from: payload, to: payload + 300, by: 13) {
            let torn = system.copy()
            torn.corrupt(firstSuperblock, at: offset, with: [~torn.contents(firstSuperblock)[offset]])
            let store = try openMemory(torn)
            #expect(try store.contains(chunkID("c2")) == false)
            #expect(store.statistics.chunkCount == 2)
        }
    }

    @Test("a damaged head in the middle is skipped, counted and reported at every opening; the rest is there")
    func corruptMiddle() async throws {
        let (system, offsets) = try await threeChunks()
        for offset in offsets[1]..<offsets[1] + RecordHeader.byteCount + 2 {
            let damaged = system.copy()
            damaged.corrupt(firstSuperblock, at: offset, with: [~damaged.contents(firstSuperblock)[offset]])
            for _ in 0..<2 {
                let store = try openMemory(damaged)
                #expect(try store.content(chunkID("c0")) == bytes(1000, seed: 0))
                #expect(try store.contains(chunkID("c1")) == false)
                #expect(try store.content(chunkID("c2")) == bytes(300, seed: 2))
                #expect(store.statistics.corruptRecords == 1)
                #expect(store.statistics.corruptRecordBytes == offsets[2] - offsets[1])
                store.close()
            }
        }
    }

    @Test("damage to the very last chunk of a closed store is damage, not an unfinished write")
    func corruptLast() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system)
        _ = try await store.put(chunkID("a"), bytes(300, seed: 1))
        store.close()
        let payload = SuperblockHeader.recordsOffset + RecordHeader.payloadOffset(idLength: 1, metadataLength: 0)
        system.corrupt(firstSuperblock, at: payload, with: [~bytes(300, seed: 1)[0]])
        let again = try openMemory(system)
        #expect(again.statistics.chunkCount == 1)
        #expect(await errorCode { _ = try again.read(chunkID("a")) } == .corrupt)
        #expect(again.corruptChunks == [chunkID("a")])
    }

    @Test("a hole before a valid record is filled, and the next opening does not take it for damage")
    func hole() async throws {
        let (system, offsets) = try await threeChunks()
        // The second record never came to the disk; the third, of the same group, did.
        let third = recordHead(rewriting: system, at: offsets[2], durableOffset: offsets[1])
        system.corrupt(firstSuperblock, at: offsets[2], with: third)
        let zeros = [UInt8](repeating: 0, count: offsets[2] - offsets[1])
        system.corrupt(firstSuperblock, at: offsets[1], with: zeros)
        for opening in 0..<3 {
            let store = try openMemory(system)
            #expect(try store.content(chunkID("c0")) == bytes(1000, seed: 0))
            #expect(try store.contains(chunkID("c1")) == false)
            #expect(try store.content(chunkID("c2")) == bytes(300, seed: 2))
            #expect(store.statistics.corruptRecords == 0)
            #expect(store.statistics.tornRecords == (opening == 0 ? 1 : 0))
            _ = try await store.put(chunkID("new\(opening)"), [1])
            store.close()
        }
    }

    @Test("bytes that rot are never served; the chunk is named, and storing it again mends it")
    func rot() async throws {
        let (system, offsets) = try await threeChunks()
        let store = try openMemory(system)
        let payload = offsets[1] + RecordHeader.payloadOffset(idLength: 2, metadataLength: 0)
        for bit in [0, 3, 7] {
            system.corrupt(firstSuperblock, at: payload + bit * 90, with: [~bytes(700, seed: 1)[bit * 90]])
            #expect(await errorCode { _ = try store.read(chunkID("c1")) } == .corrupt)
        }
        #expect(store.corruptChunks == [chunkID("c1")])
        #expect(store.statistics.corruptChunks == 1)
        #expect(await errorCode { _ = try await store.put(chunkID("c1"), [1]) } == .conflict)
        _ = try await store.put(chunkID("c1"), bytes(700, seed: 1))
        #expect(try store.content(chunkID("c1")) == bytes(700, seed: 1))
        #expect(store.corruptChunks.isEmpty)
        #expect(store.statistics.chunkBytes == 2000)
    }

    @Test("what was there and cannot be understood is never opened as empty")
    func neverEmpty() async throws {
        let (system, _) = try await threeChunks()
        let withoutIdentity = FaultyFileSystem()
        withoutIdentity.setContents(firstSuperblock, system.contents(firstSuperblock))
        #expect(await errorCode { _ = try openMemory(withoutIdentity) } == .unreadable)

        let withoutSuperblocks = FaultyFileSystem()
        withoutSuperblocks.setContents("/store/store.id", system.contents("/store/store.id"))
        #expect(await errorCode { _ = try openMemory(withoutSuperblocks) } == .unreadable)

        let foreign = system.copy()
        foreign.setContents("/store/store.id", Array(String(repeating: "ab", count: 16).utf8))
        #expect(await errorCode { _ = try openMemory(foreign) } == .unreadable)

        let headless = system.copy()
        headless.corrupt(firstSuperblock, at: 0, with: [0])
        #expect(try openMemory(headless).statistics.chunkCount == 3)
        headless.corrupt(firstSuperblock, at: 4096, with: [0])
        #expect(await errorCode { _ = try openMemory(headless.copy()) } == .unreadable)
    }

    @Test("a record that somebody uploaded as a chunk's content is not taken for one of the log")
    func forgedRecord() async throws {
        let (system, offsets) = try await threeChunks()
        let record = Array(system.contents(firstSuperblock)[offsets[0]..<offsets[1]])
        let store = try openMemory(system)
        _ = try await store.put(chunkID("evil"), record)
        _ = try await store.put(chunkID("after"), [1])
        let place = try #require(try store.locate(chunkID("evil"), in: .chunks, withMetadata: false)).header.place
        system.corrupt(firstSuperblock, at: place.offset, with: [0])
        store.close()
        try system.remove(checkpointPath)
        let again = try openMemory(system)
        #expect(again.statistics.chunkCount == 4)
        #expect(try again.contains(chunkID("evil")) == false)
        #expect(try again.content(chunkID("c0")) == bytes(1000, seed: 0))
    }
}

extension RecordHeader {
    /// The record's head with another durable offset, encoded again.
    fileprivate init(decoding head: UnsafeRawBufferPointer, at place: RecordPlace) {
        guard case .header(let header) = RecordHeader.decode(head, at: place) else { fatalError("not a record") }
        self = header
    }
}

extension [UInt8] {
    fileprivate func salt() -> UInt64 { withUnsafeBytes { $0.littleEndian(UInt64.self, at: 40) } }
}

private func recordHead(rewriting system: FaultyFileSystem, at offset: Int, durableOffset: Int) -> [UInt8] {
    let file = system.contents(firstSuperblock)
    let place = RecordPlace(superblock: 1, salt: file.salt(), offset: offset)
    var head = Array(file[offset..<offset + 130])
    let old = head.withUnsafeBytes { RecordHeader(decoding: $0, at: place) }
    let new = RecordHeader(
        kind: old.kind, idLength: old.idLength, metadataLength: old.metadataLength, payloadLength: old.payloadLength,
        sequence: old.sequence, durableOffset: durableOffset, storedAt: old.storedAt, promised: old.promised,
        acceptedBallot: old.acceptedBallot, payloadCRC: old.payloadCRC, checksum: old.checksum, place: place)
    head.withUnsafeMutableBytes { new.encode(into: $0) }
    return head
}
