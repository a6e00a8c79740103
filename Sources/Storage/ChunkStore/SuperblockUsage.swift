/// What the bytes of one superblock are good for.
///
/// Invariants:
/// - `liveBytes` are the records of this superblock that an index names, no others.
/// - No chunk record of this superblock that is out of date has a sequence below `deadSequenceMin`.
struct SuperblockUsage: Equatable {
    /// Where the last record ends; of a superblock that is written to, its ``LogTail`` knows.
    var end = SuperblockHeader.recordsOffset
    /// Where the last record begins; 0 when there is none.
    var lastRecordOffset = 0
    private(set) var liveBytes = 0
    /// Tombstones that the index of acceptors names; part of `liveBytes`.
    private var liveTombstoneBytes = 0
    /// All tombstones, needed or not.
    var tombstoneBytes = 0
    /// No tombstone here has a higher sequence.
    var tombstoneSequenceMax: UInt64 = 0
    /// Lowest sequence of a chunk record that another record replaced or deleted.
    var deadSequenceMin = UInt64.max
    /// Records that say which superblocks are gone.
    var removalBytes = 0
    /// Stretches that opening or compaction found damaged, and their bytes.
    var corruptRecords = 0
    var corruptBytes = 0

    /// Tombstones that nothing but an older record of their id, somewhere, keeps from being dropped.
    var plainTombstoneBytes: Int { tombstoneBytes - liveTombstoneBytes }

    /// An index names the record from now on.
    mutating func onNamed(_ entry: IndexEntry) {
        liveBytes += entry.recordLength
        if entry.isTombstone { liveTombstoneBytes += entry.recordLength }
    }

    /// No index names the record any more.
    /// - Parameter sequence: the record's.
    mutating func onUnnamed(_ entry: IndexEntry, sequence: UInt64) {
        liveBytes -= entry.recordLength
        if entry.isTombstone { liveTombstoneBytes -= entry.recordLength }
        if entry.isChunk { onDeadChunk(sequence) }
    }

    /// A chunk record is out of date.
    mutating func onDeadChunk(_ sequence: UInt64) { deadSequenceMin = min(deadSequenceMin, sequence) }

    mutating func onTombstone(length: Int, sequence: UInt64) {
        tombstoneBytes += length
        tombstoneSequenceMax = max(tombstoneSequenceMax, sequence)
    }
}

/// The usage of each superblock, kept by whoever changes what the indexes name.
struct SuperblockUsages {
    private(set) var byNumber: [UInt32: SuperblockUsage] = [:]

    subscript(number: UInt32) -> SuperblockUsage {
        get { byNumber[number] ?? SuperblockUsage() }
        set { byNumber[number] = newValue }
    }

    mutating func forget(_ number: UInt32) { byNumber[number] = nil }

    mutating func onNamed(_ entry: IndexEntry) { self[entry.superblock].onNamed(entry) }

    mutating func onUnnamed(_ entry: IndexEntry, sequence: UInt64) {
        self[entry.superblock].onUnnamed(entry, sequence: sequence)
    }

    mutating func onDeadChunk(in superblock: UInt32, sequence: UInt64) { self[superblock].onDeadChunk(sequence) }

    mutating func onTombstone(_ entry: IndexEntry, sequence: UInt64) {
        self[entry.superblock].onTombstone(length: entry.recordLength, sequence: sequence)
    }
}
