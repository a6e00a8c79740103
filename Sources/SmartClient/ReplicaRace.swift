/// Which replicas of a chunk to ask, and when: one at first, the next at once when one fails, and one more whenever the
/// newest has taken too long.
///
/// Invariants: each candidate is asked at most once; `giveUp` comes when the last one under way has failed and none is
/// left, and nothing comes after it.
struct ReplicaRace: Sendable {
    enum Action: Equatable, Sendable {
        /// Ask this replica, and report ``onSlow(attempt:)`` when that has taken too long.
        case ask(replica: String, attempt: Int)
        case giveUp
    }

    private let candidates: [String]
    private var asked = 0
    private var underWay = 0

    /// - Parameter candidates: in the order to ask them.
    init(_ candidates: [String]) { self.candidates = candidates }

    mutating func begin() -> Action { askNext() ?? .giveUp }

    /// A replica failed.
    mutating func onFailure() -> Action? {
        underWay -= 1
        if let next = askNext() { return next }
        return underWay == 0 ? .giveUp : nil
    }

    /// The replica asked in that attempt has taken too long. One that is not the newest has been hedged already.
    mutating func onSlow(attempt: Int) -> Action? { attempt == asked ? askNext() : nil }

    private mutating func askNext() -> Action? {
        guard asked < candidates.count else { return nil }
        asked += 1
        underWay += 1
        return .ask(replica: candidates[asked - 1], attempt: asked)
    }
}
