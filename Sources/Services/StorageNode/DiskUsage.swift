import Base
import Foundation
import Synchronization

/// How full the disk is that holds the node's data, measured about once a second at most.
final class DiskUsage: Sendable {
    struct Reading: Sendable {
        /// Share of the space open to us that is used, 0 to 100.
        let percent: Double
        /// The same with one decimal, as headers carry it.
        let text: String

        init(percent: Double) {
            let tenths = Int((min(max(percent, 0), 100) * 10).rounded())
            self.percent = Double(tenths) / 10
            text = "\(tenths / 10).\(tenths % 10)"
        }
    }

    /// nil when the disk does not say.
    typealias Probe = @Sendable () -> Double?

    private struct State {
        var reading = Reading(percent: 0)
        var readAt: ContinuousClock.Instant?
    }

    private static let validity = Duration.seconds(1)
    private let probe: Probe
    private let state = Locked(State())

    init(probe: @escaping Probe) { self.probe = probe }

    /// As `df` counts: reserved blocks belong to nobody.
    convenience init(directory: String) {
        self.init {
            var info = statvfs()
            guard statvfs(directory, &info) == 0 else { return nil }
            let used = Double(info.f_blocks - info.f_bfree)
            let open = used + Double(info.f_bavail)
            return open > 0 ? used / open * 100 : nil
        }
    }

    /// What the disk of the directory can hold, for us; nil when it does not say.
    static func capacityBytes(of directory: String) -> Int? {
        var info = statvfs()
        guard statvfs(directory, &info) == 0 else { return nil }
        let blocks = Int(info.f_blocks) - Int(info.f_bfree) + Int(info.f_bavail)
        let (bytes, overflows) = blocks.multipliedReportingOverflow(by: Int(info.f_frsize))
        return bytes > 0 && !overflows ? bytes : nil
    }

    var current: Reading {
        let now = ContinuousClock.now
        let (reading, isDue) = state.withLock { state in
            guard let readAt = state.readAt, now - readAt < Self.validity else {
                // Others go on with the old value while this thread asks.
                state.readAt = now
                return (state.reading, true)
            }
            return (state.reading, false)
        }
        guard isDue, let percent = probe() else { return reading }
        let fresh = Reading(percent: percent)
        state.withLock { $0.reading = fresh }
        return fresh
    }
}
