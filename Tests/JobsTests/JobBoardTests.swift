import Base
import Testing

@testable import Jobs

@Suite("The job board")
struct JobBoardTests {
    @Test("the first unit goes first, then the sound, then the rest in order; across videos too")
    func order() {
        let (first, second) = (makeJob(units: 3), makeJob(units: 2))
        let desk = Desk(first, second)
        var given: [UnitID] = []
        while let grant = desk.pull(by: given.count, at: 0) { given.append(grant.unit.id) }
        let expected = [(first, 0), (second, 0), (first, 3), (second, 2), (first, 1), (first, 2), (second, 1)]
        #expect(given == expected.map { UnitID(video: $0.0.0.video, number: $0.1) })
    }

    @Test("a lease that is not renewed ends, its result is refused, and another follower has the unit")
    func expiry() throws {
        let desk = Desk(makeJob())
        let late = try #require(desk.pull(by: 1, at: 0))
        #expect(desk.heartbeat(late, at: 29) == .held)
        let next = try #require(desk.pull(by: 2, at: 59))
        #expect(next.unit.id == late.unit.id)
        #expect(next.token > late.token)
        #expect(desk.finish(late, at: 60) == .fenced("follower-1 was not heard of for 30 seconds"))
        #expect(desk.finish(next, at: 61).isAccepted)
        #expect(desk.finish(next, at: 99) == .repeated)
        #expect(desk.finish(late, at: 99) == .fenced("another attempt was accepted"))
        #expect(desk.rows.discarded.map(\.1) == [late.token])
    }

    @Test("an expired lease is not live even before anybody has looked")
    func unseenExpiry() throws {
        let desk = Desk(makeJob())
        let late = try #require(desk.pull(by: 1, at: 0))
        #expect(!desk.finish(late, at: 30).isAccepted)
        #expect(desk.report(at: 31).overall == .queued)
    }

    @Test("a unit fails after as many attempts as are allowed, says why, and can be resumed")
    func attempts() throws {
        let job = makeJob(units: 1)
        let desk = Desk(job)
        for number in 1...3 {
            let grant = try #require(desk.pull(by: number, at: Double(number)))
            #expect(desk.fail(grant, "the picture broke off", at: 4) == .held)
        }
        let sound = try #require(desk.pull(by: 9, at: 5))
        #expect(sound.unit.task.kind == .audio)
        #expect(desk.finish(sound, at: 6).isAccepted)
        #expect(desk.report(at: 6).overall == .error)
        #expect(desk.report(at: 6).job.finishedAt == at(6))
        #expect(desk.report(at: 6).rungs.first?.message == "the picture broke off")
        #expect(desk.resume(job.0.video, at: 7) == true)
        let again = try #require(desk.pull(by: 1, at: 8))
        #expect(again.unit.id == job.1[0].id)
        #expect(again.token.number == 4)
        #expect(desk.report(at: 9).overall == .running)
        #expect(desk.report(at: 90).overall == .queued)
    }

    @Test("who failed a unit does not get it at once again; whoever gives it back does")
    func avoidance() throws {
        let desk = Desk(makeJob(units: 1))
        let first = try #require(desk.pull(by: 1, at: 0))
        #expect(desk.fail(first, at: 1) == .held)
        let other = try #require(desk.pull(by: 1, at: 2))
        #expect(other.unit.id != first.unit.id)
        #expect(desk.fail(other, isReleased: true, at: 3) == .held)
        let again = try #require(desk.pull(by: 1, at: 3))
        #expect(again.unit.id == other.unit.id)
        #expect(desk.pull(by: 1, at: 12, holding: [again.unit.id: again.token])?.unit.id == first.unit.id)
    }

    @Test("a follower that begins anew frees what it had")
    func restart() throws {
        let desk = Desk(makeJob(units: 1))
        let lost = try #require(desk.pull(by: 1, at: 0))
        let next = try #require(desk.pull(by: 1, at: 1))
        #expect(next.unit.id != lost.unit.id)
        #expect(desk.heartbeat(lost, at: 2) == .fenced("follower-1 began anew without it"))
        #expect(desk.pull(by: 2, at: 2)?.unit.id == lost.unit.id)
    }

    @Test("an idle follower tries a straggler too; the first result counts and the other is fenced off")
    func speculation() throws {
        let desk = Desk(makeJob(units: 2))
        for number in [1, 2] {
            let quick = try #require(desk.pull(by: number, at: 0))
            #expect(desk.finish(quick, at: 4).isAccepted)
        }
        let slow = try #require(desk.pull(by: 1, at: 5))
        for second in stride(from: 10.0, to: 60, by: 10) { #expect(desk.heartbeat(slow, at: second) == .held) }
        #expect(desk.pull(by: 2, at: 30) == nil)
        let second = try #require(desk.pull(by: 2, at: 60))
        #expect(second.unit.id == slow.unit.id)
        #expect(desk.pull(by: 3, at: 61) == nil)
        #expect(desk.finish(second, at: 62).isAccepted)
        #expect(desk.finish(slow, at: 63) == .fenced("another attempt was accepted"))
    }

    @Test("a stopped job gives nothing away and takes nothing; resumed, it goes on")
    func stopping() throws {
        let job = makeJob()
        let desk = Desk(job)
        let grant = try #require(desk.pull(by: 1, at: 0))
        #expect(desk.stop(job.0.video, at: 1))
        #expect(desk.heartbeat(grant, at: 2) == .fenced("the job was stopped"))
        #expect(desk.pull(by: 1, at: 3) == nil)
        #expect(desk.report(at: 3).overall == .stopped)
        let words = desk.report(at: 3).explanation(now: at(3), desk.policy)
        #expect(words.prefix(2) == ["0 of 5 units are done.", "The job was stopped; resume it to go on."])
        #expect(desk.resume(job.0.video, at: 4) == true)
        #expect(desk.pull(by: 1, at: 5)?.unit.id == grant.unit.id)
        #expect(desk.resume(VideoID(), at: 4) == nil)
    }

    @Test("a clock that is set back ends a lease no later than one lease from then")
    func clockBack() throws {
        let desk = Desk(makeJob(units: 1))
        let grant = try #require(desk.pull(by: 1, at: 5000))
        #expect(desk.pull(by: 2, at: 5001) != nil)
        #expect(desk.pull(by: 3, at: 10) == nil)
        #expect(desk.pull(by: 3, at: 40)?.unit.id == grant.unit.id)
    }
}

@Suite("A unit's result")
struct UnitResultTests {
    private let task = makeJob().1[1].task

    private func changed(_ change: (inout [UnitResult.Rung]) -> Void) -> String? {
        var rungs = result(of: task).rungs
        change(&rungs)
        return UnitResult(rungs: rungs).defect(as: task)
    }

    @Test("what was asked for is sound; anything else is said")
    func defects() {
        #expect(changed { _ in } == nil)
        #expect(changed { $0.removeLast() } == "it has 480p where 360p, 480p were asked for")
        #expect(changed { $0[0] = $0[0].with(frames: 999) } == "360p has 1000 pictures and 480p 999")
        #expect(
            changed { $0[0] = $0[0].with(segments: Array($0[0].segments.dropLast(3))) }
                == "480p: it ends at 32.0 s instead of 48.0 s")
        #expect(
            changed { $0[0] = $0[0].with(segments: Array($0[0].segments.dropFirst())) }
                == "480p: segment 0 does not begin where the one before ends")
        #expect(changed { $0[0] = $0[0].with(segments: []) } == "480p: it is empty")
    }
}

extension UnitResult.Rung {
    fileprivate func with(frames: Int? = nil, segments: [UnitResult.Segment]? = nil) -> UnitResult.Rung {
        UnitResult.Rung(
            label: label, codecs: codecs, initialization: initialization, initializationBytes: initializationBytes,
            frameCount: frames ?? frameCount, segments: segments ?? self.segments)
    }
}
