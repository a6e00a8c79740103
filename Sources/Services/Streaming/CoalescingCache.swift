import Base
import Synchronization

/// A bounded cache that loads what it lacks, once however many ask at the same time.
///
/// No load is cancelled because one who asked has left: others may wait for it, and the next request will.
final class CoalescingCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    typealias Instant = ContinuousClock.Instant

    private struct Kept {
        let value: Value
        let loadedAt: Instant
    }

    private struct State {
        var store: LRUStore<Key, Kept>
        var loads: [Key: Task<Value, any Error>] = [:]
        var hits = 0
        var misses = 0
    }

    /// How long a value counts as fresh; nil for ever.
    private let lifetime: Duration?
    /// How long after its lifetime a value may still be used while loading anew fails because something is down.
    private let grace: Duration
    private let cost: @Sendable (Value) -> Int
    private let clock: @Sendable () -> Instant
    private let state: Locked<State>

    init(
        costMax: Int, lifetime: Duration? = nil, grace: Duration = .zero,
        clock: @escaping @Sendable () -> Instant = { .now }, cost: @escaping @Sendable (Value) -> Int
    ) {
        self.lifetime = lifetime
        self.grace = grace
        self.cost = cost
        self.clock = clock
        state = Locked(State(store: LRUStore(costMax: costMax)))
    }

    var costKept: Int { state.withLock { $0.store.cost } }
    var hits: Int { state.withLock { $0.hits } }
    var misses: Int { state.withLock { $0.misses } }

    /// The value kept for the key, or what `load` gives.
    func value(for key: Key, load: @escaping @Sendable () async throws -> Value) async throws -> Value {
        switch find(key, load) {
        case .fresh(let value): return value
        case .loading(let task, let stale):
            do {
                return try await task.value
            } catch {
                guard let stale, isUsable(stale), (error as? any PresentableError)?.category == .unavailable else {
                    throw error
                }
                return stale.value
            }
        }
    }

    private enum Finding {
        case fresh(Value)
        case loading(Task<Value, any Error>, stale: Kept?)
    }

    private func find(_ key: Key, _ load: @escaping @Sendable () async throws -> Value) -> Finding {
        state.withLock { state in
            let kept = state.store.value(for: key)
            if let kept, isFresh(kept) {
                state.hits += 1
                return .fresh(kept.value)
            }
            state.misses += 1
            if let task = state.loads[key] { return .loading(task, stale: kept) }
            let task = Task { try await self.load(key, load) }
            state.loads[key] = task
            return .loading(task, stale: kept)
        }
    }

    private func load(_ key: Key, _ load: @Sendable () async throws -> Value) async throws -> Value {
        do {
            let value = try await load()
            let kept = Kept(value: value, loadedAt: clock())
            state.withLock { state in
                state.store.set(kept, for: key, cost: cost(value))
                state.loads[key] = nil
            }
            return value
        } catch {
            state.withLock { $0.loads[key] = nil }
            throw error
        }
    }

    private func isFresh(_ kept: Kept) -> Bool { lifetime.map { clock() < kept.loadedAt + $0 } ?? true }

    private func isUsable(_ kept: Kept) -> Bool { lifetime.map { clock() < kept.loadedAt + $0 + grace } ?? true }
}
