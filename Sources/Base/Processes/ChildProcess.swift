import Base
import Dispatch
import Glibc
import Synchronization

/// A running child process, used within ``withChild(_:timeout:_:)``.
///
/// Invariants:
/// - It is reaped once, when its pidfd says that it has ended; before that its pid and group id cannot be reused, so a
///   signal never reaches a stranger.
/// - Whatever is left of its process group when it ends is killed.
package final class ChildProcess: Sendable {
    /// How much of standard error is kept.
    package static let errorTailBytesMax = 64 * 1024
    /// A piece of output is at most this long.
    package static let pieceBytesMax = 256 * 1024
    /// How long a child may take to end after SIGTERM before it is killed.
    static let terminationGrace: DispatchTimeInterval = .seconds(2)

    private struct State {
        var status: ExitStatus?
        var isTimedOut = false
        var isTerminating = false
        var errorWatch: ReadinessWatch.Token?
        var errorTail = ErrorTail(countMax: ChildProcess.errorTailBytesMax)
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    package let pid: Int32
    private let name: String
    private let output: PipeReader
    private let errorDescriptor: Int32
    private let pidfd: Int32
    private let state = Locked(State())

    /// Runs the command and `body` beside it, and returns only once the child is gone: it is ended when `body` throws,
    /// returns before it, or the task is cancelled.
    /// - Parameter timeout: how long the child may live.
    /// - Throws: ``ProcessError``, or what `body` throws.
    package static func withChild<Result: Sendable>(
        _ command: Command, timeout: Duration? = nil, _ body: (ChildProcess) async throws -> Result
    ) async throws -> Result {
        try Task.checkCancellation()
        let child = try ChildProcess(command, timeout: timeout)
        return try await withTaskCancellationHandler {
            let result: Swift.Result<Result, any Error>
            do {
                result = .success(try await body(child))
            } catch {
                result = .failure(error)
            }
            child.output.close()
            child.terminate()
            _ = await child.untilGone()
            try Task.checkCancellation()
            try child.checkTimeout()
            return try result.get()
        } onCancel: {
            child.terminate()
        }
    }

    /// Runs the command to its end.
    /// - Parameter outputBytesMax: what it may write to standard output.
    /// - Throws: ``ProcessError``; an exit code that is not zero is not an error here.
    package static func run(_ command: Command, outputBytesMax: Int, timeout: Duration? = nil) async throws
        -> ProcessResult
    {
        try await withChild(command, timeout: timeout) { child in
            var output: [UInt8] = []
            while let piece = try await child.nextOutput() {
                guard output.count + piece.count <= outputBytesMax else {
                    throw ProcessError(.outputTooLarge, "\(child.name) wrote more than \(outputBytesMax) bytes")
                }
                output += piece
            }
            let status = await child.exitStatus()
            return ProcessResult(status: status, output: output, errorText: child.errorText)
        }
    }

    private init(_ command: Command, timeout: Duration?) throws(ProcessError) {
        let child = try Spawn.start(command)
        pid = child.pid
        name = command.executable
        output = PipeReader(descriptor: child.output)
        errorDescriptor = child.error
        pidfd = child.pidfd
        // The watches hold the child until it is reaped, whoever forgets it.
        watchErrors()
        _ = ReadinessWatch.shared.once(child.pidfd) { self.reap() }
        if let timeout {
            DispatchQueue.global().asyncAfter(deadline: .now() + timeout.seconds) { [weak self] in self?.expire() }
        }
    }

    /// The next piece of standard output, or nil at its end. The child waits while nobody asks.
    package func nextOutput() async throws(ProcessError) -> [UInt8]? {
        try await output.next(upTo: Self.pieceBytesMax)
    }

    /// Waits for the child to end by itself.
    package func exitStatus() async -> ExitStatus { await untilGone() }

    /// The end of what the child has said on standard error; whole only after ``exitStatus()``.
    package var errorText: String { state.withLock { $0.errorTail.text } }

    private func untilGone() async -> ExitStatus {
        await withCheckedContinuation { continuation in
            let isGone = state.withLock { state in
                guard state.status == nil else { return true }
                state.waiting.append(continuation)
                return false
            }
            if isGone { continuation.resume() }
        }
        guard let status = state.withLock({ $0.status }) else { preconditionFailure("woken before the child ended") }
        return status
    }

    private func checkTimeout() throws(ProcessError) {
        guard state.withLock({ $0.isTimedOut }) else { return }
        throw ProcessError(.timedOut, "\(name) took too long and was stopped")
    }

    private func expire() {
        state.withLock { state in if state.status == nil { state.isTimedOut = true } }
        terminate()
    }

    /// Asks the whole group to end, and makes it do so after a grace. Nothing happens when it has ended already.
    private func terminate() {
        let isFirst = state.withLock { state in
            guard state.status == nil, !state.isTerminating else { return false }
            state.isTerminating = true
            kill(-pid, SIGTERM)
            return true
        }
        guard isFirst else { return }
        DispatchQueue.global().asyncAfter(deadline: .now() + Self.terminationGrace) { [weak self] in
            guard let self else { return }
            self.state.withLock { state in if state.status == nil { _ = kill(-self.pid, SIGKILL) } }
        }
    }

    /// On the watch's thread, as everything that reads standard error.
    private func reap() {
        collectErrors()
        let waiting = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            // The child is a zombie until it is waited for, so its group id still means its own group.
            kill(-pid, SIGKILL)
            var raw: Int32 = 0
            while waitpid(pid, &raw, 0) < 0 && errno == EINTR {}
            let signal = raw & 0x7f
            state.status = signal == 0 ? .exited(code: (raw >> 8) & 0xff) : .killed(signal: signal)
            if let watch = state.errorWatch { ReadinessWatch.shared.forget(watch) }
            defer { state.waiting = [] }
            return state.waiting
        }
        close(pidfd)
        close(errorDescriptor)
        for continuation in waiting { continuation.resume() }
    }

    private func watchErrors() {
        // The lock, so that the token is known before the closure can ask for the next.
        state.withLock { state in
            state.errorWatch = ReadinessWatch.shared.once(errorDescriptor) {
                if self.collectErrors() { self.watchErrors() }
            }
        }
    }

    /// Takes what the child has said so far.
    /// - Returns: whether it may say more.
    @discardableResult private func collectErrors() -> Bool {
        while state.withLock({ $0.status == nil }) {
            var count = 0
            let piece = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, filled in
                count = read(errorDescriptor, buffer.baseAddress, 4096)
                filled = max(0, count)
            }
            if count > 0 {
                state.withLock { $0.errorTail.append(piece) }
            } else if count == 0 || errno != EINTR {
                return count < 0
            }
        }
        return false
    }
}

extension Duration {
    fileprivate var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}
