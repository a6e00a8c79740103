/// How long a proposer waits before it tries again: full jitter over a bound that doubles, so that rivals soon miss
/// each other.
package struct Backoff: Hashable, Sendable {
    /// Twice this is the bound of the first wait.
    private let unit: Duration
    private let doublingsMax: Int
    /// Failures in a row, as far as they count.
    private var doublings = 0

    package init(unit: Duration, doublingsMax: Int = 6) {
        precondition((0...30).contains(doublingsMax), "a bound that doubles for ever is none")
        self.unit = unit
        self.doublingsMax = doublingsMax
    }

    /// - Parameter random: 64 random bits.
    /// - Returns: what to wait, evenly spread from nothing to the bound.
    package mutating func onFailure(random: UInt64) -> Duration {
        doublings = min(doublings + 1, doublingsMax)
        let fraction = Double(random >> 11) / Double(1 << 53 as UInt64)
        return unit * (fraction * Double(1 << doublings))
    }
}
