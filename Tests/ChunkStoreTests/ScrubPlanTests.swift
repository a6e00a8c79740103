import Base
import Testing

@testable import ChunkStore

@Suite("What the scrubber does when")
struct ScrubPlanTests {
    private let extents = [
        ScrubPlan.Extent(superblock: 1, end: 3 << 20), ScrubPlan.Extent(superblock: 4, end: 2 << 20),
    ]

    private func at(_ seconds: Double) -> Timestamp {
        Timestamp(nanoseconds: 1_000_000_000_000).adding(seconds: seconds)
    }

    private func plan(rate: Int = 1 << 20, interval: Double = 3600, started: Timestamp? = nil) -> ScrubPlan {
        ScrubPlan(bytesPerSecond: rate, intervalSeconds: interval, lastStartedAt: started, lastFinishedAt: nil)
    }

    /// Does what the plan says until it rests; when, and what was read.
    private func run(
        _ plan: inout ScrubPlan, from start: Double = 0, until end: Double = 1e5,
        isBusy: (Double) -> Bool = { _ in false }
    ) -> [(at: Double, superblock: UInt32, range: Range<Int>)] {
        var now = start
        var reads: [(at: Double, superblock: UInt32, range: Range<Int>)] = []
        while now < end {
            switch plan.next(now: at(now), isBusy: isBusy(now)) {
            case .begin: plan.onBegin(extents, chunkCount: 10, now: at(now))
            case .read(let extent, let offset, let byteCount):
                var outcome = ScrubPlan.Outcome()
                outcome.offset = min(extent.end, offset + byteCount)
                outcome.resumeOffset = outcome.offset
                outcome.byteCount = outcome.offset - offset
                outcome.chunkCount = 1
                reads.append((now, extent.superblock, offset..<outcome.offset))
                plan.onRead(extent, outcome, startedAt: at(now))
            case .wait(let until):
                guard let until, plan.pass != nil else { return reads }
                #expect(until > at(now))
                now = until.seconds(since: at(0))
            }
        }
        return reads
    }

    @Test("a pass reads every byte of every superblock once, in order, and then it is done")
    func wholePass() {
        var plan = plan()
        let reads = run(&plan)
        var expected: [UInt32: Int] = [1: 8192, 4: 8192]
        for read in reads {
            #expect(read.range.lowerBound == expected[read.superblock])
            expected[read.superblock] = read.range.upperBound
        }
        #expect(expected == [1: 3 << 20, 4: 2 << 20])
        #expect(reads.map(\.superblock) == reads.map(\.superblock).sorted())
        #expect(plan.pass == nil && plan.lastFinishedAt != nil)
        #expect(plan.lastPass?.bytesDone == 5 << 20 && plan.lastPass?.chunksDone == reads.count)
        #expect(plan.nextAt == at(3600))
    }

    @Test(
        "no second has more bytes than the rate, whatever the rate", arguments: [100, 5000, 1 << 17, 1 << 20, 7 << 20])
    func rate(_ rate: Int) {
        var plan = plan(rate: rate)
        let reads = run(&plan, until: 2000)
        #expect(reads.count > 2)
        for (index, read) in reads.enumerated() {
            let second = reads[index...].prefix { $0.at < read.at + 1 }
            // A page is the least that can be read.
            #expect(second.dropLast().reduce(0) { $0 + $1.range.count } <= rate, "\(read.at)")
            #expect(read.range.count <= max(rate, 4096))
        }
    }

    @Test("it stands back while others are busy, but for one read a second, and goes on when they are done")
    func standingBack() {
        var plan = plan(rate: 10 << 20)
        var stoodBack = false
        let reads = run(&plan) { now in
            stoodBack = true
            return now < 3
        }
        #expect(stoodBack)
        let during = reads.filter { $0.at < 3 }
        #expect(during.count == 2 || during.count == 3, "\(during)")
        for (a, b) in zip(during, during.dropFirst()) { #expect(b.at - a.at >= 1) }
        #expect(reads.last?.range.upperBound == 2 << 20)
        #expect(reads.last!.at < 4)
    }

    @Test("the next pass begins when the interval is over, at once when it was over before")
    func interval() {
        var waiting = plan(interval: 100, started: at(-40))
        #expect(waiting.next(now: at(0), isBusy: false) == .wait(until: at(60)))
        #expect(waiting.next(now: at(60), isBusy: false) == .begin)
        var late = plan(interval: 100, started: at(-400))
        #expect(late.next(now: at(0), isBusy: false) == .begin)
    }

    @Test("without a rate it begins nothing by itself, and one pass when asked")
    func off() {
        var plan = plan(rate: 0)
        #expect(plan.next(now: at(0), isBusy: false) == .wait(until: nil))
        plan.onRequest(rate: 1 << 30)
        #expect(run(&plan).map(\.range.count).reduce(0, +) == (5 << 20) - 2 * 8192)
        #expect(plan.next(now: at(1e6), isBusy: false) == .wait(until: nil))
    }

    @Test("a request begins anew, also in the middle of a pass, whose last read then counts for nothing")
    func request() {
        var plan = plan()
        _ = run(&plan, until: 1.5)
        #expect(plan.pass?.offset ?? 0 > 8192)
        plan.onRequest(rate: 4 << 20)
        #expect(plan.next(now: at(3), isBusy: false) == .begin)
        plan.onBegin(extents, chunkCount: 3, now: at(3))
        #expect(plan.next(now: at(3), isBusy: false) == .read(extents[0], from: 8192, byteCount: 1 << 20))
        plan.onRead(ScrubPlan.Extent(superblock: 1, end: 99), ScrubPlan.Outcome(), startedAt: at(3))
        #expect(plan.pass?.offset == 8192)
    }

    @Test("a pass goes on where an earlier process stopped, in a log that may have changed")
    func resuming() {
        func place(_ superblock: UInt32, _ offset: Int) -> ScrubMemory.Pass {
            ScrubMemory.Pass(superblock: superblock, offset: offset, startedAt: at(-50), chunksDone: 7, damagedCount: 1)
        }
        var same = plan()
        same.onResume(extents, chunkCount: 10, at: place(4, 1 << 20), now: at(0))
        #expect(same.pass?.bytesDone == 4 << 20)
        #expect(run(&same).map(\.range.lowerBound).min() == 1 << 20)
        #expect(same.lastPass?.chunksDone == 8 && same.lastPass?.damagedCount == 1)
        #expect(same.nextAt == at(-50 + 3600))

        var compacted = plan()
        compacted.onResume(extents, chunkCount: 10, at: place(3, 1 << 20), now: at(0))
        #expect(run(&compacted).map(\.range.lowerBound).first == 8192)

        var beyond = plan()
        beyond.onResume(extents, chunkCount: 10, at: place(9, 8192), now: at(0))
        #expect(run(&beyond).isEmpty && beyond.lastFinishedAt != nil)
    }

    @Test("a superblock that is gone is passed over")
    func gone() {
        var plan = plan()
        plan.onBegin(extents, chunkCount: 1, now: at(0))
        plan.onSkipped(extents[0])
        #expect(run(&plan).allSatisfy { $0.superblock == 4 })
    }

    @Test("a clock that is set back does not hold it up")
    func clockSetBack() {
        var plan = plan()
        plan.onBegin(extents, chunkCount: 1, now: at(1e6))
        guard case .read = plan.next(now: at(0), isBusy: false) else {
            Issue.record("it waits for a time that will not come")
            return
        }
    }

    @Test("many requests or many bytes are a load; a few viewers are none")
    func load() {
        func verdict(requests: Int, bytes: Int) -> Bool {
            var gauge = LoadGauge()
            _ = gauge.isBusy(ForegroundLoad(requests: 0, bytes: 0), now: at(0))
            return gauge.isBusy(ForegroundLoad(requests: requests, bytes: bytes), now: at(1))
        }
        #expect(verdict(requests: 1000, bytes: 1000))
        #expect(verdict(requests: 10, bytes: 20 << 20))
        #expect(!verdict(requests: 10, bytes: 10 << 20))
        #expect(!verdict(requests: 0, bytes: 0))
    }
}
