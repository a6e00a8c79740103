import Base
import Synchronization

// Checkpoints: what the log adds up to, written down beside it, so that opening reads only what came after.
extension ChunkStore {
    /// Writes a checkpoint, now. Blocks; reads and writes go on meanwhile.
    /// - Throws: what keeps the store from writing. The last checkpoint is then still there.
    package func checkpoint() throws(ChunkStoreError) {
        let result = maintenance.withLock { maintenance in
            Result<Void, ChunkStoreError> { () throws(ChunkStoreError) in
                try requireWritable()
                try writeCheckpoint(&maintenance)
            }
        }
        try result.get()
    }

    /// Saves the next opening the work, if there is any since the last checkpoint. Nothing depends on it.
    func checkpointAtEnd() {
        maintenance.withLock { maintenance in
            let (nextSequence, isReadOnly) = state.withLock { ($0.nextSequence, $0.statistics.readOnlyReason != nil) }
            guard maintenance.checkpointSequence != nextSequence, !isReadOnly else { return }
            try? writeCheckpoint(&maintenance)
        }
    }

    /// - Parameter leaving: a superblock that is empty and about to be removed.
    func writeCheckpoint(_ maintenance: inout Maintenance, leaving: UInt32? = nil) throws(ChunkStoreError) {
        let files = CheckpointFiles(directory: directory, fileSystem: fileSystem)
        do throws(FileSystemError) {
            let scope = CheckpointScope(self)
            var writer = try CheckpointWriter(files)
            let count = state.withLock { $0.chunks.count + $0.acceptors.count }
            for range in CheckpointScope.keyRanges(entryCount: count) {
                for entry in scope.entries(in: range, of: self) { try writer.append(entry) }
            }
            let bytes = try writer.finish(
                store: id, createdAt: options.time.now(), nextSequence: scope.nextSequence,
                covered: scope.covered(after: self), lost: state.withLock { $0.lostNumbers },
                gone: maintenance.undead + (leaving.map { [$0] } ?? []))
            maintenance.checkpointSequence = scope.nextSequence
            state.withLock { state in
                state.statistics.checkpointedAt = options.time.now()
                state.statistics.checkpointBytes = bytes
            }
        } catch {
            try? files.removeTemporary()
            throw failedUpkeep(error)
        }
    }

    /// What a failed call means for the store: after a failed synchronization nothing is written any more.
    func failedUpkeep(_ error: FileSystemError) -> ChunkStoreError {
        if error.isSynchronization, !error.isDiskFull { becomeReadOnly(error) }
        return .writing(error)
    }

    func requireWritable() throws(ChunkStoreError) {
        let error = state.withLock { state -> ChunkStoreError? in
            state.isClosed ? .closed : state.statistics.readOnlyReason.map { .readOnly($0) }
        }
        if let error { throw error }
    }
}

/// What a checkpoint speaks of, fixed before the first entry is written.
///
/// Changes go on while the entries are written, so an entry may be newer or older than others. That is made good when
/// the checkpoint is read: whatever was reserved after this moment stands behind the covered ends and is replayed, and
/// replaying a record that counts already changes nothing.
private struct CheckpointScope {
    /// Entries that are taken out in one go, with the store locked.
    private static let entriesPerRange = 2048

    let nextSequence: UInt64
    private let before: [CheckpointFormat.Covered]
    private let ends: [UInt32: Int]

    init(_ store: ChunkStore) {
        let (nextSequence, ends, superblocks) = store.state.withLock { state in
            (
                state.nextSequence,
                state.superblocks.keys.sorted().map { number in (number, state.durablePart(of: number)) },
                state.superblocks
            )
        }
        self.nextSequence = nextSequence
        self.ends = Dictionary(uniqueKeysWithValues: ends.map { ($0.0, $0.1.end) })
        before = ends.compactMap { number, usage in
            superblocks[number].map { CheckpointFormat.Covered($0, usage) }
        }
    }

    /// Ranges of the keys' first half that together are all keys.
    static func keyRanges(entryCount: Int) -> [ClosedRange<UInt64>] {
        let bits = max(0, Int.bitWidth - (entryCount / entriesPerRange).leadingZeroBitCount)
        guard bits > 0 else { return [0...UInt64.max] }
        let width = UInt64(1) << UInt64(64 - bits)
        return (0..<UInt64(1) << UInt64(bits)).map { $0 * width...$0 * width + (width - 1) }
    }

    /// Of both indexes. What stands behind a covered end is left out: it is found there again.
    func entries(in range: ClosedRange<UInt64>, of store: ChunkStore) -> [IndexEntry] {
        var entries: [IndexEntry] = []
        store.state.withLock { state in
            state.chunks.forEach(in: range) { entries.append($0) }
            state.acceptors.forEach(in: range) { entries.append($0) }
        }
        return entries.filter { entry in ends[entry.superblock].map { entry.offset < $0 } ?? false }
    }

    /// The superblocks. What became out of date while entries were written may be in none of them, so that replaying
    /// would not notice: how old it was is taken from now.
    func covered(after store: ChunkStore) -> [CheckpointFormat.Covered] {
        let usages = store.state.withLock { $0.usages }
        return before.map { covered in
            var covered = covered
            covered.usage.onDeadChunk(usages[covered.number].deadSequenceMin)
            return covered
        }
    }
}

extension ChunkStore.State {
    /// The superblock's usage, up to where it is durable.
    fileprivate func durablePart(of number: UInt32) -> SuperblockUsage {
        var usage = usages[number]
        guard let tail = tails[number] else { return usage }
        usage.end = tail.durableEnd
        usage.lastRecordOffset = tail.lastDurableOffset < tail.durableEnd ? tail.lastDurableOffset : 0
        return usage
    }
}

extension CheckpointFormat.Covered {
    fileprivate init(_ superblock: Superblock, _ usage: SuperblockUsage) {
        let crc = superblock.headCRC(at: usage.lastRecordOffset)
        self.init(
            number: superblock.number, salt: superblock.salt, end: usage.end,
            witnessOffset: crc == nil ? 0 : usage.lastRecordOffset, witnessCRC: crc ?? 0, usage: usage)
    }
}

extension Superblock {
    /// The CRC in the head of the valid record there; nil when there is none.
    func headCRC(at offset: Int) -> UInt32? {
        guard offset > 0, (try? record(at: offset, size: mapping.bytes.count)) ?? nil != nil else { return nil }
        return withHead(at: offset, length: RecordHeader.byteCount) { RecordHeader.headCRC(of: $0) }
    }
}
