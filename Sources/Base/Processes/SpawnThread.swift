import Base
import Dispatch
import Foundation
import Synchronization

/// The one thread that starts children, and that lives as long as the process: the system kills a child when the thread
/// that started it ends (PR_SET_PDEATHSIG), and those of tasks and queues come and go.
final class SpawnThread: Sendable {
    static let shared = SpawnThread()

    private let work = Locked<[@Sendable () -> Void]>([])
    private let isWanted = DispatchSemaphore(value: 0)

    private init() {
        let thread = Thread { self.serve() }
        thread.name = "spawn"
        thread.start()
    }

    /// Does `body` on the thread, and waits for it: as long as starting a program takes.
    func run<Result: Sendable>(_ body: @escaping @Sendable () -> Result) -> Result {
        let result = Outcome<Result>()
        work.withLock { work in
            work.append {
                let made = body()
                result.value.withLock { $0 = made }
                result.isReady.signal()
            }
        }
        isWanted.signal()
        result.isReady.wait()
        guard let value = result.value.withLock({ $0 }) else { preconditionFailure("woken before the work was done") }
        return value
    }

    private func serve() -> Never {
        while true {
            isWanted.wait()
            let next = work.withLock { $0.removeFirst() }
            next()
        }
    }

    private final class Outcome<Value: Sendable>: Sendable {
        let value = Locked<Value?>(nil)
        let isReady = DispatchSemaphore(value: 0)
    }
}
