import Base
import Foundation
import Synchronization

/// The thread that a client's ``Driver`` runs on.
final class DriverThread: Sendable {
    private let thread: Locked<pthread_t?>

    init(_ queue: CommandQueue) {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(queue)
        let failure = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Driver(Unmanaged<CommandQueue>.fromOpaque(context).takeRetainedValue()).run()
                return nil
            }, context.toOpaque())
        precondition(failure == 0, "no thread for the HTTP client: \(String(cString: strerror(failure)))")
        self.thread = Locked(thread)
    }

    /// Waits for the thread to end, once; does nothing on the thread itself, which then cleans up alone.
    func join() {
        let thread = self.thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        guard let thread else { return }
        if pthread_equal(thread, pthread_self()) != 0 {
            pthread_detach(thread)
        } else {
            pthread_join(thread, nil)
        }
    }
}
