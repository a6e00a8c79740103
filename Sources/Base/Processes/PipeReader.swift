import Dispatch
import Glibc
import Synchronization

/// Our end of a child's pipe, read on demand: nothing is kept but what lies in the pipe itself, so a slow reader stops
/// the child and costs no memory.
///
/// One reader at a time. The descriptor is closed when the reader is closed or let go.
final class PipeReader: Sendable {
    private struct State {
        var isClosed = false
        /// Whether `readable` is running, that is, somebody waits.
        var isArmed = false
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let descriptor: Int32
    // A dispatch object may be used from any thread; resume and suspend are paired under `state`'s lock.
    private nonisolated(unsafe) let readable: any DispatchSourceRead
    private let state = Mutex(State())

    init(descriptor: Int32, queue: DispatchQueue) {
        self.descriptor = descriptor
        readable = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        readable.setCancelHandler { Glibc.close(descriptor) }
        readable.setEventHandler { [weak self] in self?.wake() }
    }

    deinit { close() }

    /// The next bytes, at most `count`; nil at the end or once closed.
    func next(upTo count: Int) async throws(ProcessError) -> [UInt8]? {
        while true {
            switch readNow(upTo: count) {
            case .bytes(let bytes): return bytes
            case .end: return nil
            case .failed(let reason): throw ProcessError(.readFailed(errno: reason), "a child's output cannot be read")
            case .nothingYet: await waitUntilReadable()
            }
        }
    }

    enum Piece {
        case bytes([UInt8])
        case nothingYet
        case end
        case failed(errno: Int32)
    }

    /// What lies in the pipe now.
    func readNow(upTo count: Int) -> Piece {
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

    /// Ends reading; a child that goes on writing gets SIGPIPE.
    func close() {
        let waiting = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard !state.isClosed else { return nil }
            state.isClosed = true
            readable.cancel()
            // A source is created suspended, and may not be released so.
            if !state.isArmed { readable.resume() }
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume()
    }

    private func waitUntilReadable() async {
        await withCheckedContinuation { continuation in
            let isClosed = state.withLock { state in
                guard !state.isClosed else { return true }
                precondition(state.waiting == nil, "a child's output has one reader")
                state.waiting = continuation
                state.isArmed = true
                readable.resume()
                return false
            }
            if isClosed { continuation.resume() }
        }
    }

    private func wake() {
        let waiting = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard !state.isClosed, state.isArmed else { return nil }
            state.isArmed = false
            readable.suspend()
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume()
    }
}
