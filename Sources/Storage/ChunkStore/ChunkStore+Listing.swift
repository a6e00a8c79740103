import Base
import ChunkPaxos
import Digests
import Synchronization

/// A place in the list of all chunks: after one id, before the next, in the order of the ids' SHA-256. Every store
/// lists in this order, so that the lists of several can be merged as they come.
package struct ListingCursor: Hashable, Sendable, Comparable {
    private static let digits = 32

    let key: IndexKey

    /// The place right after `id`.
    package init(_ id: ChunkID) { key = IndexKey(id) }

    init(_ key: IndexKey) { self.key = key }

    package static func < (a: ListingCursor, b: ListingCursor) -> Bool { a.key < b.key }
}

extension ListingCursor: TextCodable {
    package static var textForm: String { "a place in the list (32 hex digits)" }

    package init?(_ text: String) {
        let half = Self.digits / 2
        guard text.utf8.count == Self.digits, text.utf8.allSatisfy({ Hex.value(of: $0) != nil }),
            let high = UInt64(text.prefix(half), radix: 16), let low = UInt64(text.suffix(half), radix: 16)
        else { return nil }
        key = IndexKey(high: high, low: low)
    }

    package var description: String {
        [key.high, key.low].map { word in
            let text = String(word, radix: 16)
            return String(repeating: "0", count: Self.digits / 2 - text.utf8.count) + text
        }.joined()
    }
}

/// A stretch of the list of all chunks.
package struct AcceptorPage: Sendable {
    package let entries: [(id: ChunkID, view: AcceptorView)]
    /// Ids whose records the disk did not give.
    package let unreadableCount: Int
    /// Where to go on; nil at the end.
    package let next: ListingCursor?
}

// The list of everything the store knows: chunks, and acceptors whose chunk is gone or was never here.
extension ChunkStore {
    /// Reads the next ids after `cursor`, at least `limit` of them unless fewer are left. Memory is for one page. What
    /// is stored or deleted meanwhile may or may not be in it. Blocks.
    package func acceptors(after cursor: ListingCursor?, limit: Int) throws(ChunkStoreError) -> AcceptorPage {
        let (places, next) = listed(after: cursor?.key, limit: limit)
        var entries: [(id: ChunkID, view: AcceptorView)] = []
        var unreadableCount = 0
        var seen: Set<ChunkID> = []
        for (entry, superblock) in places {
            guard let id = superblock?.chunkID(of: entry) else {
                unreadableCount += 1
                continue
            }
            guard seen.insert(id).inserted else { continue }
            do throws(ChunkStoreError) {
                let view = try acceptor(id)
                if view.chunk != nil || view.acceptor != Acceptor() { entries.append((id, view)) }
            } catch {
                guard error.code == .corrupt else { throw error }
                unreadableCount += 1
            }
        }
        return AcceptorPage(
            entries: entries, unreadableCount: unreadableCount, next: next.map { ListingCursor($0) })
    }

    /// The records that both indexes name for the next keys, each with its superblock unless that is lost, and where to
    /// go on; nil when these are the last.
    private func listed(
        after key: IndexKey?, limit: Int
    ) -> (places: [(entry: IndexEntry, superblock: Superblock?)], next: IndexKey?) {
        state.withLock { state in
            let found =
                (state.chunks.entries(after: key, limit: limit)
                + state.acceptors.entries(after: key, limit: limit)).sorted { $0.key < $1.key }
            // Both lists are complete up to the key at the limit, and beyond it perhaps not.
            let end = found.count >= limit ? found[max(limit, 1) - 1].key : nil
            let page = found.prefix { entry in end.map { entry.key <= $0 } ?? true }
            return (page.map { ($0, state.superblocks[$0.superblock]) }, end)
        }
    }
}

extension Superblock {
    /// The id of the record that the index names; nil when the disk does not give it.
    fileprivate func chunkID(of entry: IndexEntry) -> ChunkID? {
        withHead(at: entry.offset, length: entry.headLength) { head -> ChunkID? in
            guard case .header(let header) = RecordHeader.decode(head, at: place(entry.offset)) else { return nil }
            let bytes = head[RecordHeader.byteCount..<RecordHeader.byteCount + header.idLength]
            return ChunkID(String(decoding: bytes, as: UTF8.self))
        } ?? nil
    }
}
