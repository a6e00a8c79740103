import Base
import Foundation
import Synchronization

/// The thread that makes writes durable in groups: it takes everything that waits, and one call of `commit` serves it
/// all. Whatever comes meanwhile is the next group. With a ``StepQueue`` there is no thread, and a group is a step.
final class GroupCommitter<Item: Sendable>: Sendable {
    private struct State {
        var waiting: [Item] = []
        var isStopped = false
        /// What a step does; set when there is a queue for it.
        var commit: (@Sendable ([Item]) -> Void)?
    }

    private let state = Locked(State())
    private let wakeUp = DispatchSemaphore(value: 0)
    private let steps: StepQueue?

    init(steps: StepQueue?) { self.steps = steps }

    /// - Parameters:
    ///   - commit: is called on the thread with what waited, in order of arrival.
    ///   - idle: is called once when nothing has come for `idleDelay` after a group.
    func start(
        name: String, idleDelay: DispatchTimeInterval, commit: @escaping @Sendable ([Item]) -> Void,
        idle: @escaping @Sendable () -> Void
    ) {
        guard steps == nil else { return state.withLock { $0.commit = commit } }
        let thread = Thread { [self] in run(idleDelay, commit, idle) }
        thread.name = name
        thread.start()
    }

    func join(_ item: Item) {
        let isFirst = state.withLock { state in
            state.waiting.append(item)
            return state.waiting.count == 1
        }
        guard isFirst else { return }
        if let steps { steps.add { [self] in commitWaiting() } } else { wakeUp.signal() }
    }

    private func commitWaiting() {
        let (items, commit) = state.withLock { state in
            defer { state.waiting = [] }
            return (state.waiting, state.commit)
        }
        commit?(items)
    }

    /// Ends the thread after what waits now. Does not wait for it.
    func stop() {
        state.withLock { $0.isStopped = true }
        wakeUp.signal()
    }

    private func run(
        _ idleDelay: DispatchTimeInterval, _ commit: ([Item]) -> Void, _ idle: () -> Void
    ) {
        var mayBeIdle = false
        while true {
            if mayBeIdle, wakeUp.wait(timeout: .now() + idleDelay) == .timedOut {
                idle()
                mayBeIdle = false
                continue
            } else if !mayBeIdle {
                wakeUp.wait()
            }
            let (items, isStopped) = state.withLock { state in
                defer { state.waiting = [] }
                return (state.waiting, state.isStopped)
            }
            if !items.isEmpty {
                commit(items)
                mayBeIdle = true
            } else if isStopped {
                return
            }
        }
    }
}
