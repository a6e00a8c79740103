import Base
import Synchronization

/// What a store does beside its callers, one step at a time and on the thread of whoever holds the queue, instead of on
/// threads of the store's own: with it a simulation repeats exactly, whatever the machine does.
package final class StepQueue: Sendable {
    package typealias Step = @Sendable () -> Void

    private let waiting = Locked<[Step]>([])

    package init() {}

    /// Steps that wait.
    package var count: Int { waiting.withLock { $0.count } }

    func add(_ step: @escaping Step) { waiting.withLock { $0.append(step) } }

    /// Takes the step at `index` of those that wait, the oldest being 0. It may leave others behind.
    package func run(_ index: Int = 0) {
        let step = waiting.withLock { $0.remove(at: index) }
        step()
    }

    package func runAll() { while count > 0 { run() } }
}
