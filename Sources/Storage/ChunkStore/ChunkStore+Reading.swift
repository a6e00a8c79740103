import Base
import ChunkPaxos
import Digests
import Synchronization

extension ChunkStore {
    /// The chunk's bytes, compared with their CRC-32C just now; nil when there is no such chunk.
    /// - Throws: ``ChunkStoreError`` of code `corrupt` when the disk does not give them as they were stored. The chunk
    ///   is then in ``corruptChunks``.
    package func read(_ id: ChunkID) throws(ChunkStoreError) -> StoredChunk? {
        guard let found = try locate(id, in: .chunks, withMetadata: false) else { return nil }
        let payload = found.superblock.payload(found.header)
        guard CRC32C.checksum(mapped: payload) == found.header.payloadCRC else {
            noteCorrupt(id)
            throw Self.corrupt(id)
        }
        return StoredChunk(
            description: ChunkDescription(found.header),
            bytes: MemoryRegion(bytes: payload, owner: found.superblock.mapping))
    }

    /// What is known of the chunk without touching its bytes; nil when there is no such chunk.
    package func describe(_ id: ChunkID) throws(ChunkStoreError) -> ChunkDescription? {
        try locate(id, in: .chunks, withMetadata: false).map { ChunkDescription($0.header) }
    }

    package func contains(_ id: ChunkID) throws(ChunkStoreError) -> Bool { try describe(id) != nil }

    /// What the chunk's acceptor has promised and accepted; all of it is durable.
    /// - Throws: `corrupt` when the disk does not give it: an acceptor that cannot remember must not answer.
    package func acceptor(_ id: ChunkID) throws(ChunkStoreError) -> AcceptorView {
        let key = IndexKey(id)
        let chunk = try locate(id, key, in: .chunks, withMetadata: true)
        let state = try locate(id, key, in: .acceptors, withMetadata: true) ?? chunk
        return AcceptorView(acceptor: state?.acceptor ?? Acceptor(), chunk: chunk.map { ChunkDescription($0.header) })
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

        var acceptor: Acceptor { header.acceptor(metadata: metadata) }
    }

    func locate(_ id: ChunkID, in table: Table, withMetadata: Bool) throws(ChunkStoreError) -> Located? {
        try locate(id, IndexKey(id), in: table, withMetadata: withMetadata)
    }

    /// Finds the newest record of `id`. The index gives the place under the lock; the record is read outside it.
    func locate(_ id: ChunkID, _ key: IndexKey, in table: Table, withMetadata: Bool) throws(ChunkStoreError)
        -> Located?
    {
        var ordinal = 0
        while let (entry, superblock) = candidate(key, ordinal, table) {
            switch superblock.head(entry, of: id, withMetadata: withMetadata) {
            case .record(let header, let metadata):
                return Located(entry: entry, superblock: superblock, header: header, metadata: metadata)
            case .otherID: ordinal += 1
            case .unreadable:
                noteCorrupt(id)
                throw Self.corrupt(id)
            }
        }
        return nil
    }

    private func candidate(_ key: IndexKey, _ ordinal: Int, _ table: Table) -> (IndexEntry, Superblock)? {
        state.withLock { state in
            let entry =
                switch table {
                case .chunks: state.chunks.entry(key, ordinal: ordinal)
                case .acceptors: state.acceptors.entry(key, ordinal: ordinal)
                }
            guard let entry, let superblock = state.superblocks[entry.superblock] else { return nil }
            return (entry, superblock)
        }
    }

    private func noteCorrupt(_ id: ChunkID) {
        state.withLock { state in
            guard !state.corruptIDs.contains(id), state.corruptIDs.count < Self.corruptIDsMax else { return }
            state.corruptIDs.append(id)
            state.statistics.corruptChunks += 1
        }
    }

    private static func corrupt(_ id: ChunkID) -> ChunkStoreError {
        ChunkStoreError(.corrupt, "chunk '\(id)' is damaged on this node's disk; read it from another node")
    }
}
