import Foundation
import Synchronization

/// How full the disk is that holds the node's data, measured about once a second at most. Asking waits for nobody.
final class DiskUsage: Sendable {
    struct Reading: Hashable, Sendable {
        /// Share of the space open to us that is used, in tenths of a percent.
        let tenths: Int

        init(tenths: Int) { self.tenths = tenths }

        init(percent: Double) { tenths = Int((min(max(percent, 0), 100) * 10).rounded()) }

        /// 0 to 100.
        var percent: Double { Double(tenths) / 10 }

        /// The same with one decimal, as headers carry it.
        var text: String { "\(tenths / 10).\(tenths % 10)" }
    }

    /// nil when the disk does not say.
    typealias Probe = @Sendable () -> Double?

    private static let validityNanoseconds: Int64 = 1_000_000_000
    private let probe: Probe
    private let tenths = Atomic<Int>(0)
    /// By a clock that only goes forward; 0 while nothing was measured.
    private let measuredAtNanoseconds = Atomic<Int64>(0)

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
        // The thread that finds the value too old measures; others go on with the old one meanwhile.
        if takeTurn(), let percent = probe() {
            tenths.store(Reading(percent: percent).tenths, ordering: .relaxed)
        }
        return Reading(tenths: tenths.load(ordering: .relaxed))
    }

    private func takeTurn() -> Bool {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        let now = Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
        let measuredAt = measuredAtNanoseconds.load(ordering: .relaxed)
        guard measuredAt == 0 || now - measuredAt >= Self.validityNanoseconds else { return false }
        return measuredAtNanoseconds.compareExchange(expected: measuredAt, desired: now, ordering: .relaxed).exchanged
    }
}
