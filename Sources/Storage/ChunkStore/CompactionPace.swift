import Base
import Glibc

/// Keeps compaction at its rate, so that it leaves the disk to those who wait for it.
final class CompactionPace {
    /// Longest sleep before looking again whether there is reason to go on.
    private static let napMicrosecondsMax = 50_000

    private let bytesPerSecond: Int?
    private let isStopping: () -> Bool
    private var allowedAt = ContinuousClock.now

    /// - Parameter bytesPerSecond: nil for as fast as it goes.
    init(bytesPerSecond: Int?, isStopping: @escaping () -> Bool) {
        self.bytesPerSecond = bytesPerSecond
        self.isStopping = isStopping
    }

    /// Sleeps until the bytes, and all before them, are within the rate.
    func rest(after bytes: Int) {
        guard let bytesPerSecond else { return }
        let cost = Duration.nanoseconds(bytes * 1_000_000_000 / max(bytesPerSecond, 1))
        allowedAt = max(allowedAt, .now) + cost
        while true {
            let missing = allowedAt - .now
            // Short naps would cost more than they save.
            guard missing > .milliseconds(5), !isStopping() else { return }
            usleep(useconds_t(min(Self.napMicrosecondsMax, Int(missing / .microseconds(1)))))
        }
    }
}
