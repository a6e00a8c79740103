import Base
import Synchronization

/// A follower does one thing at a time: a unit of a video, or a file. A file waits for the unit that is under way, and
/// goes before the next one.
final class WorkSlot: Sendable {
    private struct State {
        var isAtUnit = false
        var isReserved = false
    }

    private static let interval = Duration.milliseconds(100)

    private let state = Locked(State())

    /// - Returns: whether a unit may be asked for.
    func beginUnit() -> Bool {
        state.withLock { state in
            guard !state.isReserved else { return false }
            state.isAtUnit = true
            return true
        }
    }

    func endUnit() { state.withLock { $0.isAtUnit = false } }

    /// No unit begins from now on.
    func reserve() { state.withLock { $0.isReserved = true } }

    /// Waits for the unit that is under way.
    func turn() async throws {
        while state.withLock({ $0.isAtUnit }) { try await Task.sleep(for: Self.interval) }
    }

    func leave() { state.withLock { $0.isReserved = false } }
}
