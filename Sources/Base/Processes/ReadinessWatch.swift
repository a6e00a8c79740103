import Base
import CPlatform
import Foundation
import Synchronization

/// A thread that waits in poll(2) for descriptors to become readable and says so, once for each time it is asked.
///
/// Not DispatchSource: with a hundred children coming and going, libdispatch's epoll loop crashed under the thread
/// sanitizer (`_dispatch_event_loop_drain`). Here a watch is a number that is looked up anew, so a descriptor that was
/// closed and reused meanwhile wakes nobody.
final class ReadinessWatch: Sendable {
    static let shared = ReadinessWatch()

    typealias Token = UInt64

    private struct State {
        var nextToken: Token = 1
        var watches: [Token: (descriptor: Int32, onReadable: @Sendable () -> Void)] = [:]
    }

    private let state = Locked(State())
    /// A byte here makes the thread look at `state` again.
    private let wakeUp: (read: Int32, write: Int32)

    private init() {
        var ends: [Int32] = [-1, -1]
        guard vstack_pipe(&ends, 4096) == 0 else { fatalError("no descriptor is left for watching children") }
        _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
        wakeUp = (ends[0], ends[1])
        let thread = Thread { self.run() }
        thread.name = "children"
        thread.start()
    }

    /// Calls `onReadable` once, on the watch's own thread, when there is something to read, or the other side is gone.
    /// It must not block.
    func once(_ descriptor: Int32, _ onReadable: @escaping @Sendable () -> Void) -> Token {
        let token = state.withLock { state in
            defer { state.nextToken += 1 }
            state.watches[state.nextToken] = (descriptor, onReadable)
            return state.nextToken
        }
        var byte: UInt8 = 1
        // A full pipe wakes the thread as well.
        _ = write(wakeUp.write, &byte, 1)
        return token
    }

    /// Forgets a watch. Its closure may just be running.
    func forget(_ token: Token) { state.withLock { _ = $0.watches.removeValue(forKey: token) } }

    private func run() {
        while true {
            let watches = state.withLock { $0.watches.map { (token: $0.key, descriptor: $0.value.descriptor) } }
            var polled = [pollfd(fd: wakeUp.read, events: Int16(POLLIN), revents: 0)]
            polled += watches.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
            guard poll(&polled, nfds_t(polled.count), -1) > 0 else { continue }
            if polled[0].revents != 0 { drainWakeUp() }
            for (watch, result) in zip(watches, polled.dropFirst()) where result.revents != 0 {
                let found = state.withLock { $0.watches.removeValue(forKey: watch.token) }
                found?.onReadable()
            }
        }
    }

    private func drainWakeUp() {
        var bytes = [UInt8](repeating: 0, count: 256)
        while read(wakeUp.read, &bytes, bytes.count) > 0 {}
    }
}
