import Base

/// The superblocks of a store after a restart, and what they add up to.
///
/// They are read from the newest to the oldest, so that whatever says that one was removed is known before that one's
/// turn comes. With a checkpoint that fits, only what stands behind its ends is read. One that does not fit is still a
/// witness: what it names and is not there is lost.
struct OpenedLog: ~Copyable {
    private(set) var mode = OpeningMode.scan
    /// The next sequence when the checkpoint that was used was begun.
    private(set) var checkpointSequence: UInt64?

    private let store: StoreID
    private let files: SuperblockFiles
    private let now: Timestamp
    private var superblocks: [UInt32: Superblock] = [:]
    private var active: (number: UInt32, tail: LogTail)
    private var replay = LogReplay()
    private var removed = RangeSet<UInt32>()
    /// Numbers that are missing though nothing says that they were removed.
    private var lost: [UInt32] = []
    private var nextSequence: UInt64 = 1
    private var tornRecords = 0
    private var quarantine = Quarantine()
    private var checkpointedAt: Timestamp?

    /// A store that was made just now.
    init(empty superblock: Superblock, of store: StoreID, _ files: SuperblockFiles) {
        self.store = store
        self.files = files
        now = files.options.time.now()
        mode = .created
        superblocks = [superblock.number: superblock]
        active = (superblock.number, files.emptyTail)
    }

    /// - Parameter numbers: of the superblocks that there are, ascending, at least one.
    init(_ store: StoreID, _ numbers: [UInt32], _ files: SuperblockFiles) throws {
        self.store = store
        self.files = files
        now = files.options.time.now()
        active = (numbers.last ?? 1, files.emptyTail)
        let checkpointFiles = CheckpointFiles(directory: files.directory, fileSystem: files.fileSystem)
        // A cache keeps no store from opening.
        try? checkpointFiles.removeTemporary()
        guard let file = (try? checkpointFiles.open()) ?? nil, let checkpoint = Checkpoint(file, store: store) else {
            try scan(numbers, witness: nil)
            return
        }
        let witness = CheckpointWitness(checkpoint)
        guard try witness.fits(numbers, files), try go(onFrom: checkpoint, witness, numbers) else {
            startAgain(numbers)
            try scan(numbers, witness: witness)
            return
        }
    }

    consuming func makeState() -> ChunkStore.State {
        let (superblocks, active, lost, quarantine) = (superblocks, active, lost, quarantine)
        var statistics = ChunkStoreStatistics()
        (statistics.openingMode, statistics.checkpointedAt) = (mode, checkpointedAt)
        statistics.tornRecords = tornRecords
        statistics.lostSuperblocks = lost.count
        statistics.corruptRecords = lost.count
        for usage in replay.usages.byNumber.values {
            statistics.corruptRecords += usage.corruptRecords
            statistics.corruptRecordBytes += usage.corruptBytes
        }
        // Damage that can be read again another day must not outrank what is written from now on.
        let lostBytesMax = statistics.corruptRecordBytes + lost.count * files.capacity
        let nextSequence = nextSequence + UInt64(lostBytesMax / RecordHeader.byteCount)
        let tables = replay.finish()
        tables.chunks.forEach { statistics.chunkBytes += Int($0.payloadLength) }
        return ChunkStore.State(
            chunks: tables.chunks, acceptors: tables.acceptors, usages: tables.usages, superblocks: superblocks,
            activeNumber: active.number, tails: [active.number: active.tail], nextSequence: nextSequence,
            lostNumbers: lost, statistics: statistics, quarantine: quarantine)
    }

    private mutating func startAgain(_ numbers: [UInt32]) {
        (superblocks, removed, tornRecords) = ([:], RangeSet(), 0)
        (checkpointSequence, checkpointedAt) = (nil, nil)
        active = (numbers.last ?? 1, files.emptyTail)
        replay = LogReplay()
        quarantine = Quarantine()
    }

    /// Reads the whole log.
    private mutating func scan(_ numbers: [UInt32], witness: CheckpointWitness?) throws {
        for number in numbers.reversed() {
            if removed.contains(number) {
                try files.remove(number)
                continue
            }
            if let end = witness?.end(of: number, files) { try files.restoreLength(of: number, to: end) }
            try load(number)
            if let witness, try witness.isContradicted(by: superblocks[number]),
                replay.usages[number].corruptRecords == 0
            {
                replay.usages[number].corruptRecords = 1
            }
        }
        nextSequence = max(nextSequence, witness?.nextSequence ?? 0)
        // The gap tells from now on that there was more.
        if let last = witness?.lastNumber, last > active.number { try begin(last + 1) }
        lost = (1...active.number).filter { superblocks[$0] == nil && !removed.contains($0) }
    }

    /// Reads what came after the checkpoint.
    /// - Returns: false when the checkpoint turned out to be wrong.
    private mutating func go(
        onFrom checkpoint: consuming Checkpoint, _ witness: CheckpointWitness, _ numbers: [UInt32]
    ) throws -> Bool {
        nextSequence = checkpoint.nextSequence
        checkpointSequence = checkpoint.nextSequence
        checkpointedAt = checkpoint.createdAt
        replay = LogReplay(checkpoint)
        let present = numbers.filter { !witness.gone.contains($0) }
        for number in present { replay.add(try files.open(number).superblock) }
        for number in present.reversed() { try load(number, from: witness.coveredEnd(of: number)) }
        let waste = Set(present.filter { removed.contains($0) })
        guard waste.isEmpty || !replay.names(anyOf: waste) else { return false }
        for number in numbers where waste.contains(number) || witness.gone.contains(number) {
            superblocks[number] = nil
            replay.usages.forget(number)
            try files.remove(number)
        }
        let later = witness.lastNumber.map { $0 + 1 } ?? 1
        lost = witness.lost
        if later <= active.number {
            lost += (later...active.number).filter { superblocks[$0] == nil && !removed.contains($0) }
        }
        mode = .checkpoint
        return true
    }

    private mutating func load(_ number: UInt32, from start: Int = SuperblockHeader.recordsOffset) throws {
        let (superblock, owner) = try files.open(number)
        guard owner == store else {
            throw ChunkStoreError(
                .unreadable,
                "the chunk store in '\(files.directory)' cannot be opened: superblock \(number) belongs to the store "
                    + "\(owner), not to \(store)")
        }
        replay.add(superblock)
        let isLast = number == active.number
        let recovered = try RecoveredSuperblock(
            superblock, from: start, isSealed: !isLast, capacity: files.capacity, now: now, records: &replay)
        take(recovered, number)
        let fresh = try files.mappedAnew(superblock)
        superblocks[number] = fresh
        replay.add(fresh)
        guard isLast else { return }
        if var tail = recovered.tail {
            tail.lastDurableOffset = replay.usages[number].lastRecordOffset
            active.tail = tail
        } else {
            // What stands behind its end cannot be read, so nothing may be written there.
            try begin(number + 1)
        }
    }

    private mutating func begin(_ number: UInt32) throws(FileSystemError) {
        superblocks[number] = try files.create(number, store: store)
        active = (number, files.emptyTail)
    }

    private mutating func take(_ recovered: RecoveredSuperblock, _ number: UInt32) {
        nextSequence = max(nextSequence, recovered.largestSequence + 1)
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

/// What a checkpoint says of the superblocks, to be compared with those that are there.
private struct CheckpointWitness {
    let nextSequence: UInt64
    let lost: [UInt32]
    let gone: Set<UInt32>
    /// The highest number that the checkpoint knows of.
    let lastNumber: UInt32?
    private let covered: [UInt32: CheckpointFormat.Covered]

    init(_ checkpoint: borrowing Checkpoint) {
        nextSequence = checkpoint.nextSequence
        (lost, gone) = (checkpoint.lost, Set(checkpoint.gone))
        covered = Dictionary(checkpoint.covered.map { ($0.number, $0) }) { first, _ in first }
        lastNumber = covered.keys.max()
    }

    func coveredEnd(of number: UInt32) -> Int { covered[number]?.end ?? SuperblockHeader.recordsOffset }

    /// Whether the log is what the checkpoint was made from, and perhaps more behind it.
    func fits(_ numbers: [UInt32], _ files: SuperblockFiles) throws -> Bool {
        let present = Set(numbers).subtracting(gone)
        guard let lastNumber, covered.keys.allSatisfy(present.contains),
            present.allSatisfy({ $0 > lastNumber || covered[$0] != nil })
        else { return false }
        for number in covered.keys.sorted() {
            guard let covered = covered[number] else { continue }
            let superblock = try files.open(number).superblock
            guard try superblock.file.size() >= covered.end, try !isContradicted(by: superblock) else { return false }
        }
        return true
    }

    /// Where the superblock ended, if it is the same one and ends earlier now.
    func end(of number: UInt32, _ files: SuperblockFiles) -> Int? {
        guard let covered = covered[number], let superblock = try? files.open(number).superblock,
            superblock.salt == covered.salt, let size = try? superblock.file.size(), size < covered.end
        else { return nil }
        return covered.end
    }

    /// Whether the superblock is another one than the checkpoint knew, or does not have the record that it knew.
    func isContradicted(by superblock: Superblock?) throws -> Bool {
        guard let superblock, let covered = covered[superblock.number] else { return false }
        guard superblock.salt == covered.salt else { return true }
        guard covered.witnessOffset > 0 else { return false }
        guard try superblock.file.size() >= covered.witnessOffset + RecordHeader.byteCount else { return true }
        return superblock.headCRC(at: covered.witnessOffset) != covered.witnessCRC
    }
}
