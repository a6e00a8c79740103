import Base
import Glibc
import Synchronization

/// Our end of a child's pipe, read on demand: nothing is kept but what lies in the pipe itself, so a slow reader stops
/// the child and costs no memory.
///
/// One reader at a time. The descriptor is closed when the reader is closed or let go.
final class PipeReader: Sendable {
    private struct State {
        var isClosed = false
        var waiting: (token: ReadinessWatch.Token, continuation: CheckedContinuation<Void, Never>)?
    }

    private enum Piece {
        case bytes([UInt8])
        case nothingYet
        case end
        case failed(errno: Int32)
    }

    private let descriptor: Int32
    private let state = Locked(State())

    init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { close() }

    /// The next bytes, at most `count`; nil at the end or once closed.
    func next(upTo count: Int) async throws(ProcessError) -> [UInt8]? {
        while true {
            switch readNow(upTo: count) {
            case .bytes(let bytes): return bytes
            case .end: return nil
            case .failed(let reason): throw ProcessError(.readFailed(errno: reason), "a child's output cannot be read")
            case .nothingYet: await untilReadable()
            }
        }
    }

    /// Ends reading; a child that goes on writing gets SIGPIPE.
    func close() {
        let waiting = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard !state.isClosed else { return nil }
            state.isClosed = true
            if let waiting = state.waiting { ReadinessWatch.shared.forget(waiting.token) }
            Glibc.close(descriptor)
            defer { state.waiting = nil }
            return state.waiting?.continuation
        }
        waiting?.resume()
    }

    private func readNow(upTo count: Int) -> Piece {
        // Under the lock so that `close` cannot let the descriptor's number pass to another file meanwhile.
        state.withLock { state in
            guard !state.isClosed else { return .end }
            var result = 0
            var reason: Int32 = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
                repeat {
                    result = read(descriptor, buffer.baseAddress, count)
                    reason = errno
                } while result < 0 && reason == EINTR
                filled = max(0, result)
            }
            if result > 0 { return .bytes(bytes) }
            if result == 0 { return .end }
            return reason == EAGAIN ? .nothingYet : .failed(errno: reason)
        }
    }

    private func untilReadable() async {
        await withCheckedContinuation { continuation in
            let isClosed = state.withLock { state in
                guard !state.isClosed else { return true }
                precondition(state.waiting == nil, "a child's output has one reader")
                let token = ReadinessWatch.shared.once(descriptor) { [weak self] in self?.wake() }
                state.waiting = (token, continuation)
                return false
            }
            if isClosed { continuation.resume() }
        }
    }

    private func wake() {
        let waiting = state.withLock { state in
            defer { state.waiting = nil }
            return state.waiting?.continuation
        }
        waiting?.resume()
    }
}
