import Base
import ChunkPaxos
import Digests
import SimulatedDisk
import Testing

@testable import ChunkStore

@Suite("The list of all chunks")
struct ListingTests {
    private func entry(_ key: IndexKey) -> IndexEntry {
        let header = RecordHeader(
            kind: .chunk, idLength: 1, metadataLength: 0, payloadLength: 1, sequence: 1, durableOffset: 0,
            storedAt: Timestamp(nanoseconds: 0), promised: nil, acceptedBallot: nil, payloadCRC: 0,
            checksum: RecordHeader.checksumOfNothing, place: RecordPlace(superblock: 1, salt: 0, offset: 64))
        return IndexEntry(key: key, header: header)
    }

    @Test("pages of any size are the sorted keys, also of those that collide and that stand past the table's end")
    func indexOrder() {
        var index = ChunkIndex()
        var keys = (0..<800).map { IndexKey(chunkID("chunk-\($0)")) }
        keys += (0..<20).map { IndexKey(high: .max, low: $0) }
        keys += (0..<20).map { IndexKey(high: 0, low: $0) }
        for key in keys { index.insert(entry(key)) }
        for limit in [1, 7, 100, 5000] {
            var listed: [IndexKey] = []
            while true {
                let page = index.entries(after: listed.last, limit: limit).map(\.key)
                guard !page.isEmpty else { break }
                #expect(page.count >= limit || listed.count + page.count == keys.count)
                listed += page.prefix(limit)
            }
            #expect(listed == keys.sorted())
        }
    }

    @Test(
        "every chunk and every acceptor comes once, in one order, with what it has; what is gone without trace does not"
    )
    func everything() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system)
        for number in 0..<50 {
            _ = try await store.put(
                chunkID("accepted-\(number)"), bytes(10, seed: UInt64(number)), acceptance: accepted(0, 7, "v\(number)")
            )
            _ = try await store.put(chunkID("plain-\(number)"), bytes(11, seed: UInt64(number)))
            _ = try await store.prepare(chunkID("promised-\(number)"), Ballot(round: 3, proposer: 1))
            _ = try await store.prepare(chunkID("accepted-\(number)"), Ballot(round: 4, proposer: 1))
        }
        _ = try await store.delete(chunkID("accepted-0"))
        _ = try await store.delete(chunkID("plain-0"))
        for limit in [1, 9, 1000] {
            let listed = try list(store, limit: limit)
            #expect(listed.count == 149)
            #expect(Set(listed.map(\.id)).count == 149)
            let cursors = listed.map { ListingCursor($0.id) }
            #expect(cursors == cursors.sorted())
            for (id, view) in listed { #expect(try view == store.acceptor(id)) }
            let deleted = try #require(listed.first { $0.id == chunkID("accepted-0") }).view
            #expect(deleted.chunk == nil && deleted.acceptor.accepted == accepted(0, 7, "v0"))
            #expect(!listed.contains { $0.id == chunkID("plain-0") })
        }
    }

    @Test("a cursor reads back from its text, and nothing else is one")
    func cursors() throws {
        let cursor = ListingCursor(chunkID("a"))
        #expect(ListingCursor(cursor.description) == cursor)
        #expect(cursor.description.utf8.count == 32)
        for text in ["", "0", String(repeating: "g", count: 32), "+" + String(repeating: "0", count: 31)] {
            #expect(ListingCursor(text) == nil)
        }
    }

    @Test("a record that the disk does not give is counted, and the list goes on behind it")
    func unreadable() async throws {
        let system = FaultyFileSystem()
        let store = try openMemory(system)
        for number in 0..<10 { _ = try await store.put(chunkID("c\(number)"), bytes(100, seed: UInt64(number))) }
        let place = try #require(try store.locate(chunkID("c3"), in: .chunks, withMetadata: false)).header.place
        system.corrupt(firstSuperblock, at: place.offset + 40, with: [0xff])
        var page = try store.acceptors(after: nil, limit: 4)
        var (count, unreadable) = (page.entries.count, page.unreadableCount)
        while let next = page.next {
            page = try store.acceptors(after: next, limit: 4)
            count += page.entries.count
            unreadable += page.unreadableCount
        }
        #expect(count == 9 && unreadable == 1)
    }

    private func list(_ store: ChunkStore, limit: Int) throws -> [(id: ChunkID, view: AcceptorView)] {
        var page = try store.acceptors(after: nil, limit: limit)
        var listed = page.entries
        while let next = page.next {
            #expect(page.entries.count >= 1 && page.unreadableCount == 0)
            page = try store.acceptors(after: next, limit: limit)
            listed += page.entries
        }
        return listed
    }
}
