import Testing

@testable import ChunkStore

@Suite("What compaction does next")
struct CompactionPlannerTests {
    typealias Candidate = CompactionPlanner.Candidate

    private let planner = CompactionPlanner(livePercent: 50, bytesMin: 1000)

    private func candidate(
        _ number: UInt32, used: Int = 10_000, live: Int, tombstones: Int = 0, pinned: Bool = false,
        dead: UInt64 = .max, isActive: Bool = false, isBlocked: Bool = false
    ) -> Candidate {
        Candidate(
            number: number, usedBytes: used, liveBytes: live, tombstoneBytes: tombstones, tombstonesArePinned: pinned,
            deadSequenceMin: dead, isActive: isActive, isBlocked: isBlocked)
    }

    @Test("a superblock of which half is needed stays; with a byte less it goes, the emptiest first, then the oldest")
    func order() {
        #expect(planner.next([candidate(1, live: 5000)], freeBytes: nil) == nil)
        #expect(planner.next([candidate(1, live: 4999)], freeBytes: nil) == .compact(1))
        let several = [candidate(1, live: 4000), candidate(2, live: 100), candidate(3, live: 100)]
        #expect(planner.next(several, freeBytes: nil) == .compact(2))
    }

    @Test("tombstones count as needed for as long as something older may stand elsewhere")
    func tombstones() {
        #expect(planner.next([candidate(1, live: 0, tombstones: 6000, pinned: true)], freeBytes: nil) == nil)
        #expect(planner.next([candidate(1, live: 0, tombstones: 6000)], freeBytes: nil) == .compact(1))
    }

    @Test("on a full disk only what fits is copied, and what needs no copy always goes")
    func fullDisk() {
        let several = [candidate(1, live: 4000), candidate(2, live: 300), candidate(3, live: 0)]
        #expect(planner.next(several, freeBytes: 0) == .compact(3))
        #expect(planner.next(Array(several.prefix(2)), freeBytes: 299) == nil)
        #expect(planner.next(Array(several.prefix(2)), freeBytes: 300) == .compact(2))
    }

    @Test("the active superblock is closed when it is mostly waste and there is something to win")
    func rotation() {
        #expect(planner.next([candidate(1, live: 100, isActive: true)], freeBytes: nil) == .rotate(1))
        #expect(planner.next([candidate(1, live: 6000, isActive: true)], freeBytes: nil) == nil)
        #expect(planner.next([candidate(1, used: 900, live: 0, isActive: true)], freeBytes: nil) == nil)
    }

    @Test("a damaged superblock is left as it is")
    func blocked() {
        #expect(planner.next([candidate(1, live: 0, isBlocked: true)], freeBytes: nil) == nil)
    }

    @Test("tombstones that pile up are set free by compacting the oldest waste, but not when the log has gaps")
    func unpinning() {
        let log = [
            candidate(1, live: 9000, dead: 40), candidate(2, live: 9000, dead: 7),
            candidate(3, live: 5000, tombstones: 3700, pinned: true, isActive: true),
        ]
        #expect(planner.next(log, freeBytes: nil) == .compact(2))
        #expect(planner.next(log, freeBytes: nil, isWhole: false) == nil)
        let few = [log[0], log[1], candidate(3, live: 5000, tombstones: 2000, pinned: true, isActive: true)]
        #expect(planner.next(few, freeBytes: nil) == nil)
    }
}
