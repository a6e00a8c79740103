import Base
import Synchronization

/// A result that one side gives once and the other waits for once. Waiting does not end by itself when the task is
/// cancelled: whoever is to give the result is told, and gives it.
final class Promise<Value: Sendable>: Sendable {
    private enum State {
        case empty
        case waiting(CheckedContinuation<Result<Value, any Error>, Never>)
        case given(Result<Value, any Error>)
    }

    private let state = Locked(State.empty)

    var result: Result<Value, any Error> {
        get async {
            await withCheckedContinuation { continuation in
                let given: Result<Value, any Error>? = state.withLock { state in
                    switch state {
                    case .given(let result): return result
                    case .empty:
                        state = .waiting(continuation)
                        return nil
                    case .waiting: preconditionFailure("a promise has one reader")
                    }
                }
                if let given { continuation.resume(returning: given) }
            }
        }
    }

    /// Gives the result; all but the first are ignored.
    func give(_ result: Result<Value, any Error>) {
        let waiting: CheckedContinuation<Result<Value, any Error>, Never>? = state.withLock { state in
            switch state {
            case .given: return nil
            case .empty:
                state = .given(result)
                return nil
            case .waiting(let continuation):
                state = .given(result)
                return continuation
            }
        }
        waiting?.resume(returning: result)
    }
}
