import Base
import Synchronization
import Testing

@testable import Uploader

@Suite final class TurnstileTests: Sendable {
    private let turnstile = Turnstile(places: 1)
    private let passed = Locked<[Int]>([])

    private func pass(_ ticket: Turnstile.Ticket, as name: Int) -> Task<Void, any Error> {
        Task { try await turnstile.pass(ticket) { passed.withLock { $0.append(name) } } }
    }

    @Test("places are given in the order of the tickets, whoever comes with his first")
    func order() async throws {
        let tickets = (0..<4).map { _ in turnstile.ticket() }
        var tasks: [Task<Void, any Error>] = []
        for index in [3, 1, 2, 0] { tasks.append(pass(tickets[index], as: index)) }
        for task in tasks { try await task.value }
        #expect(passed.withLock { $0 } == [0, 1, 2, 3])
    }

    @Test("one that is cancelled in the line leaves it, and the next has the place")
    func cancelled() async throws {
        let tickets = (0..<3).map { _ in turnstile.ticket() }
        let last = pass(tickets[2], as: 2)
        let middle = pass(tickets[1], as: 1)
        middle.cancel()
        await #expect(throws: CancellationError.self) { try await middle.value }
        try await pass(tickets[0], as: 0).value
        try await last.value
        #expect(passed.withLock { $0 } == [0, 2])
    }

    @Test("one that is cancelled at its place gives it back")
    func cancelledInside() async throws {
        let ticket = turnstile.ticket()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await turnstile.pass(ticket) { passed.withLock { $0.append(0) } }
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        try await pass(turnstile.ticket(), as: 1).value
        #expect(passed.withLock { $0 } == [1])
    }
}
