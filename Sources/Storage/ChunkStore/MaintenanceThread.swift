import Base
import Dispatch
import Foundation
import Synchronization

/// The thread that calls `work` now and then until it is stopped.
final class MaintenanceThread: Sendable {
    private let wakeUp = DispatchSemaphore(value: 0)

    /// - Parameter work: is called again at once when it returns true, else after `interval`.
    func start(name: String, interval: DispatchTimeInterval, work: @escaping @Sendable () -> Bool) {
        let thread = Thread { [wakeUp] in
            while wakeUp.wait(timeout: .now() + interval) == .timedOut {
                while work() {}
            }
        }
        thread.name = name
        thread.start()
    }

    /// Ends the thread after the work that it is doing. Does not wait for it.
    func stop() { wakeUp.signal() }
}

/// When a checkpoint is worth what it costs: 32 bytes for each entry, to save the next opening a record's head for each
/// record since the last one.
struct CheckpointPolicy {
    /// As many records are read in a moment.
    static let recordsMin: UInt64 = 65_536

    /// Once in a quarter of the entries: no record pays for more than 128 bytes of checkpoint.
    static func isDue(recordsSince: UInt64, entryCount: Int) -> Bool {
        recordsSince >= max(recordsMin, UInt64(entryCount / 4))
    }
}

extension ChunkStore {
    func startMaintenance() {
        guard options.maintainsItself else { return }
        maintenanceThread.start(name: "vstack-upkeep", interval: options.maintenanceInterval) { [weak self] in
            self?.maintain() ?? false
        }
    }

    /// Takes one step of compaction, or writes a checkpoint when it is time.
    /// - Returns: whether there may be more to do at once.
    private func maintain() -> Bool {
        maintenance.withLock { maintenance in
            do throws(ChunkStoreError) {
                var report = CompactionReport()
                let rate = options.compactionBytesPerSecond
                if try compactOnce(&maintenance, &report, bytesPerSecond: rate) { return true }
                let (next, count) = state.withLock { ($0.nextSequence, $0.chunks.count + $0.acceptors.count) }
                let since = next - (maintenance.checkpointSequence ?? 0)
                if CheckpointPolicy.isDue(recordsSince: since, entryCount: count) {
                    try writeCheckpoint(&maintenance)
                }
                state.withLock { $0.statistics.upkeepFailure = nil }
            } catch {
                guard error.code != .closed else { return false }
                state.withLock { $0.statistics.upkeepFailure = error.message }
            }
            return false
        }
    }
}
