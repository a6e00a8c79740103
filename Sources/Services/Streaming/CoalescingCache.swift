import Base
import Synchronization

/// A bounded cache of what changes elsewhere: it loads what it lacks or has had for too long, once however many ask at
/// the same time.
///
/// No load is cancelled because one who asked has left: others may wait for it, and the next request will.
final class CoalescingCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    typealias Instant = ContinuousClock.Instant
    /// Gives the value, from the one there was where that helps.
    typealias Load = @Sendable (Key, Value?) async throws -> Value

    private struct Kept {
        let value: Value
        let loadedAt: Instant
        /// When it was last tried to load it anew: what is down is not asked again for every request.
        var triedAt: Instant
    }

    private struct State {
        var store: LRUStore<Key, Kept>
        var loads: [Key: Task<Value, any Error>] = [:]
    }

    /// How long a value counts as fresh.
    private let lifetime: @Sendable (Value) -> Duration
    /// How long after its lifetime a value may still be used while loading anew fails because something is down.
    private let grace: Duration
    private let cost: @Sendable (Value) -> Int
    private let clock: @Sendable () -> Instant
    private let load: Load
    private let state: Locked<State>

    init(
        costMax: Int, lifetime: @escaping @Sendable (Value) -> Duration, grace: Duration,
        clock: @escaping @Sendable () -> Instant = { .now },
        cost: @escaping @Sendable (Value) -> Int, load: @escaping Load
    ) {
        self.lifetime = lifetime
        self.grace = grace
        self.cost = cost
        self.clock = clock
        self.load = load
        state = Locked(State(store: LRUStore(costMax: costMax)))
    }

    /// The value, if it is here and fresh; never waits. In the second half of its lifetime it is loaded anew behind
    /// the caller's back, so that for what is asked all the time nobody ever waits.
    func fresh(_ key: Key) -> Value? {
        let now = clock()
        return state.withLock { state in
            guard let kept = state.store.value(for: key), isFresh(kept, at: now) else { return nil }
            let isOld = now >= kept.triedAt + lifetime(kept.value) / 2
            if isOld, state.loads[key] == nil { begin(key, kept, &state) }
            return kept.value
        }
    }

    /// The value kept for the key, or what loading gives.
    func value(for key: Key) async throws -> Value {
        let now = clock()
        let (value, task) = state.withLock { state -> (Value?, Task<Value, any Error>?) in
            let kept = state.store.value(for: key)
            if let kept, isFresh(kept, at: now) { return (kept.value, nil) }
            return (nil, state.loads[key] ?? begin(key, kept, &state))
        }
        if let value { return value }
        guard let task else { preconditionFailure("neither a value nor a load") }
        return try await task.value
    }

    @discardableResult
    private func begin(_ key: Key, _ kept: Kept?, _ state: inout State) -> Task<Value, any Error> {
        let task = Task { try await run(key, kept) }
        state.loads[key] = task
        return task
    }

    private func run(_ key: Key, _ old: Kept?) async throws -> Value {
        do {
            let value = try await load(key, old?.value)
            let now = clock()
            end(key, Kept(value: value, loadedAt: now, triedAt: now))
            return value
        } catch {
            var kept = old.flatMap { isUsable($0, despite: error) ? $0 : nil }
            kept?.triedAt = clock()
            end(key, kept)
            guard let kept else { throw error }
            return kept.value
        }
    }

    private func end(_ key: Key, _ kept: Kept?) {
        state.withLock { state in
            if let kept {
                state.store.set(kept, for: key, cost: cost(kept.value))
            } else {
                state.store.remove(key)
            }
            state.loads[key] = nil
        }
    }

    private func isFresh(_ kept: Kept, at now: Instant) -> Bool { now < kept.triedAt + lifetime(kept.value) }

    private func isUsable(_ kept: Kept, despite error: any Error) -> Bool {
        (error as? any PresentableError)?.category == .unavailable
            && clock() < kept.loadedAt + lifetime(kept.value) + grace
    }
}
