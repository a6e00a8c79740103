import Base
import Testing

@testable import Conversions

@Suite struct ConversionBoardTests {
    private let start = Timestamp(nanoseconds: 1_000_000_000_000)

    private func at(_ seconds: Double) -> Timestamp { start.adding(seconds: seconds) }

    private func board(_ ids: [String], attemptsMax: Int = 3) throws -> ConversionBoard {
        var board = ConversionBoard(ConversionBoard.Policy(leaseSec: 10, attemptsMax: attemptsMax), now: start)
        try board.add(
            ids.enumerated().map { index, id in
                ConversionJob(
                    id: id, name: id, input: "\(id).mov", output: "\(id).mp4", options: "{}", position: index + 1,
                    createdAt: start)
            })
        return board
    }

    @Test("jobs go to free followers in the queue's order, one to each")
    func order() throws {
        var board = try board(["a", "b", "c"])
        #expect(try board.reorder(["c"]).map(\.id) == ["c", "a", "b"])
        let given = board.assign(to: ["one", "two"], now: start)
        #expect(
            given.map(\.id) == ["c", "a"] && given.map(\.worker) == ["one", "two"] && given.map(\.attempt) == [1, 1])
        #expect(board.assign(to: ["one", "two"], now: at(1)).isEmpty)
        #expect(board["b"].map { board.queuePosition(of: $0) } == 1)
    }

    @Test("a silent follower's job goes to another, and what the silent one says later counts for nothing")
    func silence() throws {
        var board = try board(["a"])
        _ = board.assign(to: ["one"], now: start)
        #expect(board.note("a", attempt: 1, now: at(9)) != nil)
        #expect(board.expire(now: at(18)).isEmpty)
        let ended = board.expire(now: at(19))
        #expect(ended.map(\.ended) == [ConversionBoard.Ended(job: "a", attempt: 1, worker: "one")])
        let given = board.assign(to: ["one", "two"], now: at(20))
        #expect(given.map(\.worker) == ["two"] && given.map(\.attempt) == [2])
        #expect(board.note("a", attempt: 1, now: at(21)) == nil)
        #expect(board.beginPublishing("a", attempt: 1, now: at(21)) == nil)
        #expect(board.fail("a", attempt: 1, "late", isFinal: true, now: at(21)) == nil)
        #expect(board.beginPublishing("a", attempt: 2, now: at(22))?.isPublishing == true)
        #expect(board.complete("a", attempt: 2, now: at(22))?.status == .completed)
    }

    @Test("a lone follower gets the job again, and after too many failures nobody does, until somebody retries it")
    func attempts() throws {
        var board = try board(["a"], attemptsMax: 2)
        for attempt in 1...2 {
            #expect(board.assign(to: ["one"], now: start).map(\.attempt) == [attempt])
            _ = board.fail("a", attempt: attempt, "it broke", isFinal: false, now: at(1))
        }
        #expect(board["a"]?.status == .failed && board["a"]?.errorMessage == "it broke")
        #expect(board.assign(to: ["one"], now: at(2)).isEmpty)
        #expect(try board.retry("a").isRetried)
        #expect(board.assign(to: ["one"], now: at(3)).map(\.attempt) == [3])
    }

    @Test("what a file itself is at fault for is not tried again")
    func final() throws {
        var board = try board(["a"])
        _ = board.assign(to: ["one"], now: start)
        #expect(board.fail("a", attempt: 1, "no video", isFinal: true, now: at(1))?.status == .failed)
    }

    @Test("a follower that began anew has lost its job; one that was given it a moment ago has not")
    func survey() throws {
        var board = try board(["a"])
        _ = board.assign(to: ["one"], now: at(5))
        #expect(board.survey("one", isAt: [], askedAt: at(5), now: at(6)).isEmpty)
        #expect(board.survey("two", isAt: [], askedAt: at(7), now: at(8)).isEmpty)
        #expect(board.survey("one", isAt: ["a"], askedAt: at(7), now: at(8)).isEmpty)
        #expect(board.survey("one", isAt: [], askedAt: at(7), now: at(8)).map(\.job.status) == [.pending])
    }

    @Test("while a result is given its name its attempt ends in no other way")
    func publishing() throws {
        var board = try board(["a"])
        _ = board.assign(to: ["one"], now: start)
        _ = board.beginPublishing("a", attempt: 1, now: at(1))
        #expect(board.expire(now: at(100)).isEmpty)
        #expect(board.survey("one", isAt: [], askedAt: at(99), now: at(100)).isEmpty)
        #expect(board.release("a", attempt: 1) == nil)
        #expect(throws: Failure.self) { try board.cancel("a", now: at(100)) }
    }

    @Test("a restart begins the leases of what was under way anew, and a clock that was set back ends none early")
    func restart() throws {
        var board = try board(["a"])
        _ = board.assign(to: ["one"], now: start)
        var next = ConversionBoard(board.policy, jobs: board.jobs, now: at(1000))
        #expect(next.expire(now: at(1009)).isEmpty)
        #expect(next.expire(now: at(500)).isEmpty)
        #expect(next.expire(now: at(509)).isEmpty)
        #expect(next.expire(now: at(510)).count == 1)
    }

    @Test("two jobs that wait or run never make the same file")
    func outputs() throws {
        var board = try board(["a"])
        let again = ConversionJob(
            id: "b", name: "b", input: "b.mov", output: "a.mp4", options: "{}", position: 2, createdAt: start)
        #expect(throws: Failure.self) { try board.add([again]) }
        _ = try board.cancel("a", now: start)
        #expect(throws: Never.self) { try board.add([again]) }
        #expect(board.clear(.completed).isEmpty)
        #expect(board.clear(nil).map(\.id) == ["a"])
    }
}

@Suite struct NaturalOrderTests {
    @Test("numbers in names are sorted as numbers")
    func numbers() {
        let names = ["b", "Part 10.mp4", "part 2.mp4", "part 2 b.mp4", "a", "007", "7", "part 1.mp4"]
        #expect(
            names.sorted(by: NaturalOrder.isBefore)
                == ["007", "7", "a", "b", "part 1.mp4", "part 2 b.mp4", "part 2.mp4", "Part 10.mp4"])
    }
}
