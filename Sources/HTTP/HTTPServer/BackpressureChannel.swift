import Base
import Synchronization

/// Hands elements from a thread that must not block to a task, and says when the thread should pause.
///
/// Bounded by cooperation: `push` answers true once `highWater` is reached, the producer pauses, and `onDrained` tells
/// it to go on. What a producer still pushes after that is kept too, so nothing is lost.
final class BackpressureChannel<Element: Sendable>: Sendable {
    private struct State {
        var elements: [(element: Element, cost: Int)] = []
        var first = 0
        var cost = 0
        var isPaused = false
        var end: Result<Void, any Error>?
        var isAbandoned = false
        var waiter: CheckedContinuation<Element?, any Error>?
    }

    /// What a consumer that asks for an element does next.
    private enum Step {
        case element(Element, drained: Bool)
        case end(Result<Void, any Error>)
        case wait
    }

    private let state = Locked(State())
    private let highWater: Int
    private let onDrained: @Sendable () -> Void

    /// - Parameter onDrained: called from the consumer's side, never under this channel's lock.
    init(highWater: Int, onDrained: @escaping @Sendable () -> Void) {
        self.highWater = highWater
        self.onDrained = onDrained
    }

    /// - Returns: whether the producer should pause until `onDrained`.
    func push(_ element: Element, cost: Int) -> Bool {
        let (waiter, pause) = state.withLock { state -> (CheckedContinuation<Element?, any Error>?, Bool) in
            guard !state.isAbandoned, state.end == nil else { return (nil, false) }
            if let waiter = state.waiter {
                state.waiter = nil
                return (waiter, false)
            }
            state.elements.append((element, cost))
            state.cost += cost
            // Only the consumer ends a pause: what the producer still pushes must not, or nobody would tell it to go on.
            if state.cost >= highWater { state.isPaused = true }
            return (nil, state.isPaused)
        }
        waiter?.resume(returning: element)
        return pause
    }

    /// Whether the producer should still pause. It asks again once it has paused, as the consumer may have been faster.
    var isPaused: Bool { state.withLock { $0.isPaused } }

    /// No more elements: the consumer gets nil, or the error, after what is still queued.
    func finish(_ end: Result<Void, any Error> = .success(())) {
        let waiter = state.withLock { state -> CheckedContinuation<Element?, any Error>? in
            guard state.end == nil else { return nil }
            state.end = end
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(with: end.map { nil })
    }

    /// The consumer wants no more: what comes is dropped and never pauses the producer.
    func abandon() {
        let wasPaused = state.withLock { state in
            state.isAbandoned = true
            state.elements = []
            state.first = 0
            state.cost = 0
            defer { state.isPaused = false }
            return state.isPaused
        }
        if wasPaused { onDrained() }
    }

    /// The next element, in order; nil at the end. One consumer only.
    func next() async throws -> Element? {
        try await withCheckedThrowingContinuation { continuation in
            let step = state.withLock { state -> Step in
                if state.first < state.elements.count {
                    let (element, cost) = state.elements[state.first]
                    state.first += 1
                    state.cost -= cost
                    if state.first == state.elements.count {
                        state.elements.removeAll(keepingCapacity: true)
                        state.first = 0
                    }
                    let drained = state.isPaused && state.cost <= highWater / 2
                    if drained { state.isPaused = false }
                    return .element(element, drained: drained)
                }
                if let end = state.end { return .end(end) }
                precondition(state.waiter == nil, "a channel has one consumer")
                state.waiter = continuation
                return .wait
            }
            switch step {
            case .element(let element, let drained):
                if drained { onDrained() }
                continuation.resume(returning: element)
            case .end(let end): continuation.resume(with: end.map { nil })
            case .wait: break
            }
        }
    }
}
