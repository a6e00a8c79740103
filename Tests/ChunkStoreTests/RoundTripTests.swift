import Base
import ChunkPaxos
import Digests
import Foundation
import SimulatedDisk
import Testing

@testable import ChunkStore

@Suite("What is stored comes back")
struct RoundTripTests {
    @Test("a chunk comes back byte for byte, before and after the store is opened again")
    func roundTrip() async throws {
        let directory = TemporaryDirectory()
        let content = bytes(2 * ByteCount.mebibyte, seed: 1)
        do {
            let store = try ChunkStore(directory: directory.path)
            let outcome = try await store.put(chunkID("a"), content)
            guard case .created(let description) = outcome else { Issue.record("it was there already"); return }
            #expect(description.checksum == SHA256.digest(of: content))
            #expect(description.sizeBytes == content.count)
            #expect(try store.content(chunkID("a")) == content)
            store.close()
        }
        let store = try ChunkStore(directory: directory.path)
        #expect(try store.content(chunkID("a")) == content)
        #expect(try store.describe(chunkID("a"))?.checksum == SHA256.digest(of: content))
        #expect(try store.describe(chunkID("b")) == nil)
        #expect(store.statistics.chunkBytes == content.count)
        store.close()
    }

    @Test("pieces of any size make the same chunk, and every length from 1 to 200 survives")
    func pieces() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system)
        for length in 1...200 {
            let content = bytes(length, seed: UInt64(length))
            let writer = try store.write(chunkID("c\(length)"))
            for start in stride(from: 0, to: length, by: 7) {
                try content[start..<min(length, start + 7)].withUnsafeBytes { try writer.append($0) }
            }
            try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
                writer.finish { done.resume(with: $0.map { _ in }.mapError { $0 as any Error }) }
            }
        }
        store.close()
        let again = try openMemory(system)
        for length in 1...200 {
            #expect(try again.content(chunkID("c\(length)")) == bytes(length, seed: UInt64(length)))
        }
        #expect(again.statistics.chunkCount == 200)
    }

    @Test("the same bytes again are 'existing'; other bytes are a conflict and the first stay")
    func duplicates() async throws {
        let store = try openMemory(FaultyFileSystem())
        _ = try await store.put(chunkID("a"), [1, 2, 3])
        guard case .existing = try await store.put(chunkID("a"), [1, 2, 3]) else {
            Issue.record("stored twice"); return
        }
        #expect(await errorCode { _ = try await store.put(chunkID("a"), [1, 2, 4]) } == .conflict)
        #expect(try store.content(chunkID("a")) == [1, 2, 3])
    }

    @Test("what must not be stored is refused: empty, too large, or with another checksum than announced")
    func refused() async throws {
        let store = try openMemory(FaultyFileSystem())
        #expect(await errorCode { _ = try await store.put(chunkID("a"), []) } == .emptyChunk)
        let large = bytes(16 * 1024 + 1, seed: 1)
        #expect(await errorCode { _ = try await store.put(chunkID("a"), large) } == .chunkTooLarge)
        let other = SHA256.digest(of: [9])
        #expect(await errorCode { _ = try await store.put(chunkID("a"), [1], expected: other) } == .checksumMismatch)
        #expect(try store.contains(chunkID("a")) == false)
        #expect(store.statistics.chunkCount == 0)
    }

    @Test("a full superblock is closed and the next begun; chunks of all of them are read")
    func severalSuperblocks() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system)
        for number in 0..<40 { _ = try await store.put(chunkID("c\(number)"), bytes(8000, seed: UInt64(number))) }
        #expect(store.statistics.superblockCount >= 6)
        #expect(try store.describe(chunkID("c39"))?.superblock == UInt32(store.statistics.superblockCount))
        store.close()
        #expect(system.paths.allSatisfy { system.contents($0).count <= 64 * 1024 })
        let again = try openMemory(system)
        for number in 0..<40 { #expect(try again.content(chunkID("c\(number)")) == bytes(8000, seed: UInt64(number))) }
    }

    @Test("a deleted chunk stays deleted, and its id may be stored again with other bytes")
    func deletion() async throws {
        let system = FaultyFileSystem()
        var store = try openMemory(system)
        _ = try await store.put(chunkID("a"), [1])
        _ = try await store.put(chunkID("b"), [2])
        #expect(try await store.delete(chunkID("a")))
        #expect(try await store.delete(chunkID("a")) == false)
        #expect(try store.contains(chunkID("a")) == false)
        store.close()
        store = try openMemory(system)
        #expect(try store.contains(chunkID("a")) == false)
        #expect(try store.content(chunkID("b")) == [2])
        _ = try await store.put(chunkID("a"), [3])
        store.close()
        store = try openMemory(system)
        #expect(try store.content(chunkID("a")) == [3])
        #expect(store.statistics.chunkCount == 2)
    }

    @Test("a directory has one owner; the second is told so, and gets it when the first is gone")
    func twoOwners() async throws {
        let directory = TemporaryDirectory()
        var first: ChunkStore? = try ChunkStore(directory: directory.path)
        #expect(await errorCode { _ = try ChunkStore(directory: directory.path) } == .inUse)
        first?.close()
        first = nil
        #expect(await errorCode { _ = try ChunkStore(directory: directory.path) } == nil)
    }

    @Test("a closed store refuses changes and still lets readers finish")
    func closed() async throws {
        let store = try openMemory(FaultyFileSystem())
        _ = try await store.put(chunkID("a"), [1])
        let chunk = try #require(try store.read(chunkID("a")))
        store.close()
        #expect(await errorCode { _ = try await store.put(chunkID("b"), [1]) } == .closed)
        #expect(await errorCode { _ = try await store.delete(chunkID("a")) } == .closed)
        #expect(Array(chunk.bytes.bytes) == [1])
    }
}
