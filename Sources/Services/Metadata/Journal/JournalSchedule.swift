import Catalog

/// When the keeper does what.
struct JournalSchedule: Sendable {
    struct Due: Equatable {
        /// What is to be written; nil for nothing.
        var urgency: JournalUrgency?
        var isHealing = false
    }

    typealias Instant = ContinuousClock.Instant

    private let pace: JournalKeeper.Pace
    private var retry: Duration
    private var promptAt: Instant
    private var countersAt: Instant
    private var healingAt: Instant

    init(pace: JournalKeeper.Pace, now: Instant) {
        self.pace = pace
        retry = pace.retry
        promptAt = now
        countersAt = now + pace.counters
        healingAt = now
    }

    func due(now: Instant) -> Due {
        let urgency: JournalUrgency? = now >= countersAt ? .counters : now >= promptAt ? .prompt : nil
        return Due(urgency: urgency, isHealing: now >= healingAt)
    }

    /// While something fails, what is due is looked at less and less often.
    mutating func onPass(_ urgency: JournalUrgency, failures: Int, now: Instant) {
        retry = failures == 0 ? pace.retry : min(retry * 2, pace.retryMax)
        promptAt = failures == 0 ? now : now + retry
        if urgency == .counters { countersAt = now + max(pace.counters, failures == 0 ? .zero : retry) }
    }

    mutating func onHealed(now: Instant) { healingAt = now + pace.healing }

    mutating func onNodeBack(now: Instant) {
        retry = pace.retry
        (promptAt, healingAt) = (now, now)
    }
}
