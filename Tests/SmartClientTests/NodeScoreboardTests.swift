import SmartClient
import Testing

@Suite struct NodeScoreboardTests {
    private let start = ContinuousClock.now

    @Test("nodes nothing is known of keep the order they were given in")
    func unknown() {
        #expect(NodeScoreboard().order(["c", "a", "b"], now: start) == ["c", "a", "b"])
    }

    @Test("a node that failed is last until its time is up, and never left out")
    func failed() {
        var board = NodeScoreboard()
        board.onFailure("a", now: start)
        #expect(board.order(["a", "b", "c"], now: start) == ["b", "c", "a"])
        #expect(board.order(["a"], now: start) == ["a"])
        let later = start + NodeScoreboard.penaltyFirst
        #expect(board.order(["a", "b", "c"], now: later) == ["a", "b", "c"])
    }

    @Test("failures in a row double the time, up to the most; one success ends it")
    func growing() {
        var board = NodeScoreboard()
        var now = start
        var waits: [Duration] = []
        for _ in 0..<8 {
            board.onFailure("a", now: now)
            var wait = Duration.zero
            while board.order(["a", "b"], now: now + wait) == ["b", "a"] { wait += .seconds(1) }
            waits.append(wait)
            now += wait
        }
        #expect(waits == [5, 10, 20, 40, 60, 60, 60, 60].map { .seconds($0) })
        board.onFailure("a", now: now)
        board.onSuccess("a", now: now)
        #expect(board.order(["a", "b"], now: now) == ["a", "b"])
        board.onFailure("a", now: now)
        #expect(board.order(["a", "b"], now: now + .seconds(5)) == ["a", "b"])
    }

    @Test("failures of reads that were under way together count once")
    func together() {
        var board = NodeScoreboard()
        for _ in 0..<10 { board.onFailure("a", now: start) }
        #expect(board.order(["a", "b"], now: start + NodeScoreboard.penaltyFirst) == ["a", "b"])
    }

    @Test("of the nodes that work the least busy is first, and of those that failed the first to be forgiven")
    func busy() {
        var board = NodeScoreboard()
        board.onStart("a", now: start)
        board.onStart("a", now: start)
        board.onStart("b", now: start)
        #expect(board.order(["a", "b", "c"], now: start) == ["c", "b", "a"])
        board.onEnd("a", now: start)
        board.onEnd("a", now: start)
        board.onEnd("a", now: start)
        #expect(board.order(["a", "b", "c"], now: start) == ["a", "c", "b"])
        board.onFailure("c", now: start)
        board.onFailure("a", now: start + .seconds(1))
        #expect(board.order(["a", "b", "c"], now: start + .seconds(2)) == ["b", "c", "a"])
    }

    @Test("no more nodes are remembered than the limit, the longest unheard of are forgotten")
    func bounded() {
        var board = NodeScoreboard()
        board.onFailure("first", now: start)
        for number in 0..<NodeScoreboard.nodesMax {
            board.onFailure("node-\(number)", now: start + .milliseconds(1))
        }
        let now = start + .milliseconds(1)
        #expect(board.order(["first", "other"], now: now) == ["first", "other"])
        #expect(board.order(["node-0", "other"], now: now) == ["other", "node-0"])
    }
}
