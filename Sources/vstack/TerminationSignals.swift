import Base
import Dispatch
import Foundation
import Synchronization

/// SIGTERM and SIGINT, as something that can be waited for.
final class TerminationSignals: Sendable {
    /// How long a process may take to end after a signal.
    private static let deadlineSeconds = 9.5

    private struct State {
        var hasCome = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Locked(State())
    // Written in `init` only: it keeps the sources alive.
    nonisolated(unsafe) private var sources: [any DispatchSourceSignal] = []

    /// From here on the signals no longer end the process by themselves.
    init() {
        for number in [SIGTERM, SIGINT] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { [self] in come() }
            source.activate()
            sources.append(source)
        }
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let hasCome = state.withLock { state in
                if !state.hasCome { state.waiter = continuation }
                return state.hasCome
            }
            if hasCome { continuation.resume() }
        }
    }

    /// What was acknowledged is durable whenever the process ends, so a stop that takes too long is cut short.
    func exitAfterDeadline() {
        Thread.detachNewThread {
            Thread.sleep(forTimeInterval: Self.deadlineSeconds)
            FileHandle.standardError.write(Data("vstack: stopping took too long; what was acknowledged is safe\n".utf8))
            exit(0)
        }
    }

    private func come() {
        let waiter = state.withLock { state in
            state.hasCome = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }
}
