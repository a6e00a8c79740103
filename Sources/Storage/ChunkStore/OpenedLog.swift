import Base

/// The superblocks of a store after a restart, and what they add up to.
///
/// They are read from the newest to the oldest, so that whatever says that one was removed is known before that one's
/// turn comes.
struct OpenedLog: ~Copyable {
    private let files: SuperblockFiles
    private let now: Timestamp
    private var superblocks: [UInt32: Superblock] = [:]
    private var active: (number: UInt32, tail: LogTail)
    private var replay = LogReplay()
    private var removed = RangeSet<UInt32>()
    /// Numbers that are missing though nothing says that they were removed.
    private var lost: [UInt32] = []
    private var largestSequence: UInt64 = 0
    private var tornRecords = 0
    private var quarantine = Quarantine()

    /// A store that was made just now.
    init(empty superblock: Superblock, _ files: SuperblockFiles) {
        self.files = files
        now = files.options.time.now()
        superblocks = [superblock.number: superblock]
        active = (superblock.number, files.emptyTail)
    }

    /// - Parameter numbers: of the superblocks that there are, ascending, at least one.
    init(_ store: StoreID, _ numbers: [UInt32], _ files: SuperblockFiles) throws {
        self.files = files
        now = files.options.time.now()
        active = (numbers.last ?? 1, files.emptyTail)
        for number in numbers.reversed() {
            if removed.contains(number) {
                try files.remove(number)
            } else {
                try load(number, of: store)
            }
        }
        lost = (1...active.number).filter { superblocks[$0] == nil && !removed.contains($0) }
    }

    consuming func makeState() -> ChunkStore.State {
        let (superblocks, active, lost, quarantine) = (superblocks, active, lost, quarantine)
        var statistics = ChunkStoreStatistics()
        statistics.tornRecords = tornRecords
        statistics.lostSuperblocks = lost.count
        statistics.corruptRecords = lost.count
        for usage in replay.usages.byNumber.values {
            statistics.corruptRecords += usage.corruptRecords
            statistics.corruptRecordBytes += usage.corruptBytes
        }
        // Damage that can be read again another day must not outrank what is written from now on.
        let lostBytesMax = statistics.corruptRecordBytes + lost.count * files.capacity
        let nextSequence = largestSequence + UInt64(lostBytesMax / RecordHeader.byteCount) + 1
        let tables = replay.finish()
        tables.chunks.forEach { statistics.chunkBytes += Int($0.payloadLength) }
        return ChunkStore.State(
            chunks: tables.chunks, acceptors: tables.acceptors, usages: tables.usages, superblocks: superblocks,
            activeNumber: active.number, tails: [active.number: active.tail], nextSequence: nextSequence,
            lostNumbers: lost, statistics: statistics, quarantine: quarantine)
    }

    private mutating func load(_ number: UInt32, of store: StoreID) throws {
        let (superblock, owner) = try files.open(number)
        guard owner == store else {
            throw ChunkStoreError(
                .unreadable,
                "the chunk store in '\(files.directory)' cannot be opened: superblock \(number) belongs to the store "
                    + "\(owner), not to \(store)")
        }
        superblocks[number] = superblock
        replay.add(superblock)
        let isLast = number == active.number
        let recovered = try RecoveredSuperblock(
            superblock, isSealed: !isLast, capacity: files.capacity, now: now, records: &replay)
        take(recovered, number)
        guard isLast else { return }
        if let tail = recovered.tail {
            active.tail = tail
        } else {
            // What stands behind its end cannot be read, so nothing may be written there.
            let next = try files.create(number + 1, store: store)
            superblocks[next.number] = next
            active = (next.number, files.emptyTail)
        }
    }

    private mutating func take(_ recovered: RecoveredSuperblock, _ number: UInt32) {
        largestSequence = max(largestSequence, recovered.largestSequence)
        tornRecords += recovered.tornCount
        for range in recovered.corrupt {
            _ = quarantine.add(Quarantine.Stretch(superblock: number, range: range))
        }
        removed.formUnion(recovered.removed)
        var usage = replay.usages[number]
        usage.end = recovered.end
        usage.lastRecordOffset = max(usage.lastRecordOffset, recovered.lastRecordOffset)
        usage.removalBytes += recovered.removalBytes
        usage.corruptRecords += recovered.corrupt.count
        usage.corruptBytes += recovered.corrupt.reduce(0) { $0 + $1.count }
        replay.usages[number] = usage
    }
}
