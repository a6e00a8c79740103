import Base

/// How long something that may come back is waited for. Waits double from `first` to `last`.
package struct Retry: Sendable {
    var first: Duration = .milliseconds(100)
    var last: Duration = .seconds(3)
    /// From the first failure on.
    var total: Duration

    /// The metadata service may be restarted; a minute is more than that takes.
    package static let metadata = Retry(total: .seconds(60))
    /// A client waits for the answer.
    package static let interactive = Retry(total: .seconds(10))
    /// Too few nodes are there to make a majority.
    package static let majority = Retry(total: .seconds(45))

    package init(first: Duration = .milliseconds(100), last: Duration = .seconds(3), total: Duration) {
        self.first = first
        self.last = last
        self.total = total
    }

    /// Does `work` until it succeeds, fails for good, or the time is over; then throws what it threw last.
    package func run<Value: Sendable>(
        while isTransient: (any Error) -> Bool = Retry.isUnavailable, _ work: () async throws -> Value
    ) async throws -> Value {
        let clock = ContinuousClock()
        var deadline: ContinuousClock.Instant?
        var wait = first
        while true {
            do {
                return try await work()
            } catch {
                let now = clock.now
                let end = deadline ?? now + total
                deadline = end
                guard isTransient(error), now + wait < end, !Task.isCancelled else { throw error }
                try await clock.sleep(for: wait)
                wait = min(wait * 2, last)
            }
        }
    }

    /// The other side is away, or says that it cannot now.
    package static func isUnavailable(_ error: any Error) -> Bool {
        (error as? any PresentableError)?.category == .unavailable
    }
}
