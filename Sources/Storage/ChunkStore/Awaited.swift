import Foundation

/// Counts what is under way on the store's other threads, for a thread that has to wait for it. With a ``StepQueue``
/// there are no other threads: then waiting takes the steps that bring it about.
final class Awaited: @unchecked Sendable {
    // `condition` guards `count`.
    private let condition = NSCondition()
    private var count = 0
    private let steps: StepQueue?

    init(steps: StepQueue?) { self.steps = steps }

    func begin() { change(1) }

    func end() { change(-1) }

    /// Returns when no more than `countMax` are under way.
    func wait(untilAtMost countMax: Int = 0) {
        guard let steps else { return sleep(countMax) }
        while condition.withLock({ count }) > countMax { steps.run() }
    }

    private func sleep(_ countMax: Int) {
        condition.withLock {
            while count > countMax { condition.wait() }
        }
    }

    private func change(_ difference: Int) {
        condition.withLock {
            count += difference
            condition.broadcast()
        }
    }
}
