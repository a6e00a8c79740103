import Base
import Synchronization

/// Lets a set number through at once; the others wait in the order of their tickets.
///
/// Invariant: as long as there is a free place nobody is in line.
final class Turnstile: Sendable {
    /// A place in the line, or already past it. To be used once.
    struct Ticket: Sendable {
        fileprivate let number: Int
    }

    private struct State {
        var free: Int
        var nextNumber = 0
        /// Tickets that have no place yet, in order, with whoever waits for it already.
        var line: [(number: Int, waiter: CheckedContinuation<Bool, Never>?)] = []
    }

    private let state: Locked<State>

    init(places: Int) { state = Locked(State(free: places)) }

    /// Takes the next place, or stands in line for it, at once: who comes first is first, whenever his task begins.
    func ticket() -> Ticket {
        state.withLock { state in
            defer { state.nextNumber += 1 }
            if state.free > 0 {
                state.free -= 1
            } else {
                state.line.append((state.nextNumber, nil))
            }
            return Ticket(number: state.nextNumber)
        }
    }

    /// Runs `work` with the ticket's place.
    /// - Throws: `CancellationError` when the task is cancelled while it waits.
    func pass<Value: Sendable>(_ ticket: Ticket, _ work: () async throws -> Value) async throws -> Value {
        guard await enter(ticket.number) else { throw CancellationError() }
        defer { leave() }
        try Task.checkCancellation()
        return try await work()
    }

    /// - Returns: whether the place is the ticket's now; false when the task was cancelled.
    private func enter(_ number: Int) async -> Bool {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer = state.withLock { state -> Bool? in
                    guard let index = state.line.firstIndex(where: { $0.number == number }) else { return true }
                    // Cancelled before it could wait: nobody would wake it.
                    if Task.isCancelled {
                        state.line.remove(at: index)
                        return false
                    }
                    state.line[index].waiter = continuation
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            // One that does not wait yet finds out by itself.
            let waiter = state.withLock { state -> CheckedContinuation<Bool, Never>? in
                guard let index = state.line.firstIndex(where: { $0.number == number }),
                    let waiter = state.line[index].waiter
                else { return nil }
                state.line.remove(at: index)
                return waiter
            }
            waiter?.resume(returning: false)
        }
    }

    private func leave() {
        let next = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            guard !state.line.isEmpty else {
                state.free += 1
                return nil
            }
            return state.line.removeFirst().waiter
        }
        next?.resume(returning: true)
    }
}
