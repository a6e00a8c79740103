import Base
import Testing

@testable import HTTPServer

@Suite("The channel between the server's thread and a handler")
struct BackpressureChannelTests {
    @Test("a pause lasts until the consumer has caught up, also when more is pushed meanwhile")
    func pauseSurvivesPushes() async throws {
        let drained = Counter()
        let channel = BackpressureChannel<Int>(highWater: 10) { drained.add() }
        for number in 0..<9 { #expect(channel.push(number, cost: 1) == false) }
        #expect(channel.push(9, cost: 1))
        for number in 0..<3 { #expect(try await channel.next() == number) }
        #expect(channel.push(10, cost: 1), "seven of ten are queued: the producer is still to pause")
        #expect(channel.isPaused)
        for number in 3..<11 { #expect(try await channel.next() == number) }
        #expect(drained.value == 1)
        #expect(channel.isPaused == false)
    }

    @Test("the end comes after what was pushed before it, and an error in its place")
    func ends() async throws {
        let channel = BackpressureChannel<Int>(highWater: 10) {}
        _ = channel.push(1, cost: 1)
        channel.finish(.failure(Failure(.timeout, "left")))
        #expect(try await channel.next() == 1)
        await #expect(throws: Failure.self) { try await channel.next() }
    }

    @Test("a consumer that wants no more lets a paused producer go on")
    func abandoned() {
        let drained = Counter()
        let channel = BackpressureChannel<Int>(highWater: 1) { drained.add() }
        #expect(channel.push(1, cost: 1))
        channel.abandon()
        #expect(drained.value == 1)
        #expect(channel.push(2, cost: 5) == false)
    }
}
