import Base
import Foundation
import Synchronization

/// The thread that looks for slow clients, once a second or as often as short timeouts need.
final class Sweeper: Sendable {
    private let isStopped = Atomic<Bool>(false)

    init(_ core: ServerCore) {
        let timeout = min(core.configuration.headerTimeoutSeconds, core.configuration.idleTimeoutSeconds)
        let pauseMicroseconds = UInt32(min(1, timeout / 4) * 1e6)
        Thread.detachNewThread { [weak self] in
            while let self, !self.isStopped.load(ordering: .relaxed) {
                core.slowClients.sweep(now: ServerCore.monotonicSeconds())
                usleep(pauseMicroseconds)
            }
        }
    }

    func stop() { isStopped.store(true, ordering: .relaxed) }
}
