import Base
import ChunkPaxos
import Digests
import Synchronization

extension ChunkStore {
    /// The chunk's bytes, compared with their CRC-32C just now; nil when there is no such chunk.
    /// - Throws: ``ChunkStoreError`` of code `corrupt` when the disk does not give them as they were stored. The chunk
    ///   is then in ``corruptChunks``.
    package func read(_ id: ChunkID) throws(ChunkStoreError) -> StoredChunk? {
        guard let handle = try find(id, toRead: true) else { return nil }
        return StoredChunk(description: handle.description, bytes: try handle.read())
    }

    /// The chunk without its bytes, which can be had from the handle; nil when there is no such chunk.
    ///
    /// - Parameter toRead: that the bytes will be asked for, so that they may come from the disk with the head.
    /// - Throws: `corrupt` when it is known to be damaged.
    package func find(_ id: ChunkID, toRead: Bool = false) throws(ChunkStoreError) -> ChunkHandle? {
        let found = try locate(id, IndexKey(id), in: .chunks, withMetadata: false, toRead: toRead)
        guard let found else { return nil }
        if found.isQuarantined { throw Self.corrupt(id) }
        return ChunkHandle(store: self, id: id, superblock: found.superblock, header: found.header)
    }

    /// What is known of the chunk without touching its bytes; nil when there is no such chunk.
    package func describe(_ id: ChunkID) throws(ChunkStoreError) -> ChunkDescription? { try find(id)?.description }

    package func contains(_ id: ChunkID) throws(ChunkStoreError) -> Bool { try describe(id) != nil }

    /// What the chunk's acceptor has promised and accepted; all of it is durable.
    /// - Throws: `corrupt` when the disk does not give it: an acceptor that cannot remember must not answer.
    package func acceptor(_ id: ChunkID) throws(ChunkStoreError) -> AcceptorView {
        let key = IndexKey(id)
        let before = try locate(id, key, in: .acceptors, withMetadata: true)
        let chunk = try locate(id, key, in: .chunks, withMetadata: true)
        // The state may move meanwhile: into a chunk's record when that is stored, out of it when it is deleted.
        var state = before ?? chunk
        if state == nil { state = try locate(id, key, in: .acceptors, withMetadata: true) }
        return AcceptorView(state?.acceptor ?? .none, chunk?.intactDescription)
    }

    /// One of the two indexes.
    enum Table {
        case chunks, acceptors
    }

    /// An index entry and the record it names.
    struct Located {
        let entry: IndexEntry
        let superblock: Superblock
        let header: RecordHeader
        /// Empty when it was not asked for.
        let metadata: [UInt8]
        /// The chunk of that id is known to be damaged.
        let isQuarantined: Bool

        /// nil when the bytes are not to be had.
        var intactDescription: ChunkDescription? { isQuarantined ? nil : ChunkDescription(header) }

        var acceptor: AcceptorState { header.acceptorState(metadata: metadata) }
    }

    func locate(_ id: ChunkID, in table: Table, withMetadata: Bool) throws(ChunkStoreError) -> Located? {
        try locate(id, IndexKey(id), in: table, withMetadata: withMetadata)
    }

    /// Finds the newest record of `id`.
    /// - Throws: `corrupt` when its head is damaged.
    func locate(
        _ id: ChunkID, _ key: IndexKey, in table: Table, withMetadata: Bool, toRead: Bool = false
    ) throws(ChunkStoreError) -> Located? {
        switch lookUp(id, key, in: table, withMetadata: withMetadata, toRead: toRead) {
        case .found(let located): return located
        case .damaged: throw Self.corrupt(id)
        case .absent: return nil
        }
    }

    enum Lookup {
        case found(Located)
        /// The index names a record whose head the disk does not give any more.
        case damaged(IndexEntry)
        case absent
    }

    /// The index gives the place under the lock; the record is read outside it.
    func lookUp(
        _ id: ChunkID, _ key: IndexKey, in table: Table, withMetadata: Bool, toRead: Bool = false
    ) -> Lookup {
        var ordinal = 0
        while let (entry, superblock, isQuarantined) = candidate(key, ordinal, table) {
            if toRead { superblock.fetch(entry) }
            switch superblock.head(entry, of: id, withMetadata: withMetadata) {
            case .record(let header, let metadata):
                return .found(
                    Located(
                        entry: entry, superblock: superblock, header: header, metadata: metadata,
                        isQuarantined: isQuarantined))
            case .otherID: ordinal += 1
            case .unreadable:
                quarantine(key, id, superblock: entry.superblock, offset: entry.offset)
                noteLost(entry.offset..<entry.offset + entry.recordLength, in: superblock)
                return .damaged(entry)
            }
        }
        return .absent
    }

    private func candidate(_ key: IndexKey, _ ordinal: Int, _ table: Table) -> (IndexEntry, Superblock, Bool)? {
        state.withLock { state in
            let entry =
                switch table {
                case .chunks: state.chunks.entry(key, ordinal: ordinal)
                case .acceptors: state.acceptors.entry(key, ordinal: ordinal)
                }
            guard let entry, let superblock = state.superblocks[entry.superblock] else { return nil }
            return (entry, superblock, state.quarantine.contains(key))
        }
    }

    static func corrupt(_ id: ChunkID) -> ChunkStoreError {
        ChunkStoreError(.corrupt, "chunk '\(id)' is damaged on this node's disk; read it from another node")
    }
}

/// A chunk that is there. Its bytes stay valid for as long as the handle, or a region from it, is kept: also when the
/// chunk is deleted meanwhile.
package struct ChunkHandle: Sendable {
    private let store: ChunkStore
    private let id: ChunkID
    private let superblock: Superblock
    private let header: RecordHeader

    init(store: ChunkStore, id: ChunkID, superblock: Superblock, header: RecordHeader) {
        self.store = store
        self.id = id
        self.superblock = superblock
        self.header = header
    }

    package var description: ChunkDescription { ChunkDescription(header) }

    /// The bytes as they lie in the mapped superblock, compared with their CRC-32C just now.
    package func read() throws(ChunkStoreError) -> MemoryRegion {
        guard superblock.payloadIsIntact(header) else {
            let place = header.place
            store.quarantine(IndexKey(id), id, superblock: place.superblock, offset: place.offset)
            throw ChunkStore.corrupt(id)
        }
        return unverifiedBytes
    }

    /// Where the bytes are, for whoever only wants to know how many: nothing has looked at them, and touching them may
    /// fail.
    package var unverifiedBytes: MemoryRegion {
        MemoryRegion(bytes: superblock.payload(header), owner: superblock.mapping)
    }
}
