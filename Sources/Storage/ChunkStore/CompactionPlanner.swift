/// Decides which superblock compaction empties next. No I/O: the store asks and acts.
///
/// A superblock is worth it when less than the wanted share of its bytes is still needed. Needed are the records that
/// an index names, the removal records, and tombstones for as long as an older record of their id may stand somewhere
/// else: without them, reading the log would find a deleted chunk again.
struct CompactionPlanner {
    /// A superblock as the planner sees it.
    struct Candidate: Equatable {
        let number: UInt32
        /// Bytes of all its records.
        let usedBytes: Int
        /// Bytes of records that must be kept in any case.
        let liveBytes: Int
        /// Tombstones that may have to be kept.
        let tombstoneBytes: Int
        /// Whether something older than one of these tombstones may stand in another superblock.
        let tombstonesArePinned: Bool
        /// Sequence of the oldest chunk record here that is out of date, or less; the maximum when there is none.
        let deadSequenceMin: UInt64
        var isActive = false
        /// Nothing may be taken from it: it is damaged.
        var isBlocked = false

        /// What moving would copy.
        var neededBytes: Int { liveBytes + (tombstonesArePinned ? tombstoneBytes : 0) }
        var deadBytes: Int { usedBytes - neededBytes }
    }

    enum Step: Equatable {
        case compact(UInt32)
        /// Closes the active superblock, so that it can be compacted.
        case rotate(UInt32)
    }

    /// Tombstones that are kept only for the sake of dead records elsewhere may have this share of the log; then the
    /// oldest of these dead records go, so that tombstones cannot pile up without end.
    static let pinnedPercentMax = 12

    let livePercent: Int
    /// What must be won before the active superblock is closed for it, or others for the sake of tombstones.
    let bytesMin: Int

    /// - Parameters:
    ///   - freeBytes: room on the disk for copies; nil when it is not known.
    ///   - isWhole: nothing of the log is lost or damaged; otherwise nobody knows what tombstones still hide.
    func next(_ candidates: [Candidate], freeBytes: Int?, isWhole: Bool = true) -> Step? {
        let open = candidates.filter { !$0.isBlocked }
        let sealed = open.filter { !$0.isActive && $0.neededBytes <= freeBytes ?? .max }
        // The least to copy for what is won; of equals, the oldest.
        let worthwhile = sealed.filter(isWorthwhile)
        if let best = worthwhile.min(by: { ($0.neededShare, $0.number) < ($1.neededShare, $1.number) }) {
            return .compact(best.number)
        }
        if let active = open.first(where: \.isActive), isWorthwhile(active), active.deadBytes >= bytesMin {
            return .rotate(active.number)
        }
        guard isWhole else { return nil }
        return unpinning(open, among: sealed, logBytes: candidates.reduce(0) { $0 + $1.usedBytes })
    }

    private func isWorthwhile(_ candidate: Candidate) -> Bool {
        candidate.neededBytes * 100 < candidate.usedBytes * livePercent || candidate.usedBytes == 0
    }

    private func unpinning(_ open: [Candidate], among sealed: [Candidate], logBytes: Int) -> Step? {
        let pinned = open.reduce(0) { $0 + ($1.tombstonesArePinned ? $1.tombstoneBytes : 0) }
        guard pinned >= bytesMin, pinned * 100 > logBytes * Self.pinnedPercentMax,
            let oldest = open.filter({ $0.deadSequenceMin < .max }).min(by: { $0.deadSequenceMin < $1.deadSequenceMin })
        else { return nil }
        if oldest.isActive { return .rotate(oldest.number) }
        return sealed.contains(oldest) ? .compact(oldest.number) : nil
    }
}

extension CompactionPlanner.Candidate {
    /// Parts per thousand.
    fileprivate var neededShare: Int { usedBytes == 0 ? 0 : neededBytes * 1000 / usedBytes }
}
