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
        let isNews = state.withLock { $0.addLost(range, in: superblock.number) }
        guard isNews else { return false }
        for entry in chunks(in: range, of: superblock.number) {
            quarantine(
                entry.key, superblock.legibleID(entry), superblock: entry.superblock, offset: entry.offset)
        }
        return true
    }

    /// The chunks that the index has in a stretch. It is asked a part at a time, so that nobody waits for long.
    private func chunks(in range: Range<Int>, of superblock: UInt32) -> [IndexEntry] {
        let parts: UInt64 = 256
        let step = UInt64.max / parts + 1
        return (0..<parts).flatMap { part in
            state.withLock { state in
                var found: [IndexEntry] = []
                state.chunks.forEach(in: part * step...part * step + (step - 1)) {
                    if $0.superblock == superblock, range.contains($0.offset) { found.append($0) }
                }
                return found
            }
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
    /// - Returns: false when the stretch was known, or its superblock is gone.
    fileprivate mutating func addLost(_ range: Range<Int>, in superblock: UInt32) -> Bool {
        // Opening may have counted damage without knowing where it stands.
        let known = quarantine.stretches.count { $0.superblock == superblock }
        let stretch = Quarantine.Stretch(superblock: superblock, range: range)
        guard superblocks[superblock] != nil, quarantine.add(stretch) else { return false }
        guard usages[superblock].corruptRecords <= known else { return true }
        usages[superblock].corruptRecords += 1
        usages[superblock].corruptBytes += range.count
        statistics.corruptRecords += 1
        statistics.corruptRecordBytes += range.count
        return true
    }

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
