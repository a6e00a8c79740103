import Base
import Synchronization

// What is done about records that turn out to be damaged, whoever finds them: a read, the scrubber, an earlier run.
extension ChunkStore {
    /// The chunk's record, which `entry` names, is damaged: the chunk is not served any more. Nothing happens when
    /// another record has taken its place meanwhile.
    /// - Returns: whether that is news.
    @discardableResult
    func quarantine(_ key: IndexKey, _ id: ChunkID?, superblock: UInt32, offset: Int) -> Bool {
        state.withLock { $0.quarantineIfCurrent(key, id, superblock: superblock, offset: offset) }
    }

    /// In this stretch of the log no record can be read. Chunks that the index has there are quarantined; whatever else
    /// stood there is lost, and with it the acceptors' whole memory.
    /// - Returns: whether that is news.
    @discardableResult
    func noteLost(_ range: Range<Int>, in superblock: Superblock) -> Bool {
        state.withLock { state in
            let stretch = Quarantine.Stretch(superblock: superblock.number, range: range)
            guard state.quarantine.add(stretch) else { return false }
            state.statistics.corruptRecords += 1
            state.statistics.corruptRecordBytes += range.count
            var lost: [IndexEntry] = []
            state.chunks.forEach {
                if $0.superblock == superblock.number, range.contains($0.offset) { lost.append($0) }
            }
            for entry in lost {
                let id = superblock.legibleID(entry)
                _ = state.quarantineIfCurrent(entry.key, id, superblock: entry.superblock, offset: entry.offset)
            }
            return true
        }
    }

    /// How many of these records are chunks that count: neither deleted nor replaced.
    func currentCount(of records: [(key: IndexKey, offset: Int)], in superblock: UInt32) -> Int {
        state.withLock { state in
            records.count { state.chunks.entry($0.key, superblock: superblock, offset: $0.offset) != nil }
        }
    }
}

extension ChunkStore.State {
    fileprivate mutating func quarantineIfCurrent(
        _ key: IndexKey, _ id: ChunkID?, superblock: UInt32, offset: Int
    ) -> Bool {
        guard chunks.entry(key, superblock: superblock, offset: offset) != nil else { return false }
        return quarantine.add(key, Quarantine.Chunk(id: id, superblock: superblock, offset: offset))
    }
}

extension ChunkIndex {
    /// The entry of that key that names this very record.
    func entry(_ key: IndexKey, superblock: UInt32, offset: Int) -> IndexEntry? {
        var ordinal = 0
        while let entry = entry(key, ordinal: ordinal) {
            if entry.superblock == superblock, entry.offset == offset { return entry }
            ordinal += 1
        }
        return nil
    }
}

extension IndexEntry {
    /// The whole record with its padding.
    var recordLength: Int { RecordHeader.aligned(headLength) + RecordHeader.aligned(Int(payloadLength)) }
}

extension Superblock {
    /// The id behind a damaged head, if it can still be read: its hash, which the index has, proves it.
    func legibleID(_ entry: IndexEntry) -> ChunkID? {
        withHead(at: entry.offset, length: entry.headLength) { head in
            let id = UnsafeRawBufferPointer(
                rebasing: head[RecordHeader.byteCount..<RecordHeader.byteCount + entry.idLength])
            return IndexKey(idBytes: id) == entry.key ? ChunkID(String(decoding: id, as: UTF8.self)) : nil
        } ?? nil
    }
}
