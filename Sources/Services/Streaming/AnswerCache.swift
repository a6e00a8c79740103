import Base
import MetadataAPI
import Synchronization

/// Whole answers, kept within a bound on their bytes and made once however many ask at the same time.
///
/// Invariants:
/// - An answer is given for an edition only if it was made of that one, or found to be the same for it.
/// - For one key there is at most one making under way.
final class AnswerCache: Sendable {
    struct Key: Hashable, Sendable {
        let video: VideoID
        let asset: Asset
    }

    /// Makes an answer, or gives back the one of an older edition when it has not changed.
    typealias Make = @Sendable (_ kept: Answer?) async throws -> Answer

    private struct Slot {
        let answer: Answer
        /// The newest edition for which it is known to be right.
        let edition: UInt64
    }

    private struct Making {
        let task: Task<Answer, any Error>
        let edition: UInt64
    }

    private struct State {
        var store: LRUStore<Key, Slot>
        var makings: [Key: Making] = [:]
        var hits = 0
        var misses = 0
    }

    private let state: Locked<State>

    init(bytesMax: Int) { state = Locked(State(store: LRUStore(costMax: bytesMax))) }

    var bytesKept: Int { state.withLock { $0.store.cost } }
    var hits: Int { state.withLock { $0.hits } }
    /// How many answers were made.
    var misses: Int { state.withLock { $0.misses } }

    func find(_ key: Key, edition: UInt64) -> Answer? {
        state.withLock { state in
            guard let slot = state.store.value(for: key), slot.edition >= edition else { return nil }
            state.hits += 1
            return slot.answer
        }
    }

    /// What is kept, or what `make` gives.
    ///
    /// No making is cancelled because one who asked has left: others may wait for it, and the next request will.
    func answer(_ key: Key, edition: UInt64, make: @escaping Make) async throws -> Answer {
        while true {
            if let answer = find(key, edition: edition) { return answer }
            let making = join(key, edition, make)
            do {
                let answer = try await making.task.value
                if making.edition >= edition { return answer }
            } catch {
                guard making.edition < edition else { throw error }
            }
        }
    }

    private func join(_ key: Key, _ edition: UInt64, _ make: @escaping Make) -> Making {
        state.withLock { state in
            if let making = state.makings[key] { return making }
            let kept = state.store.value(for: key)
            // Made between the two looks: nothing is left to do.
            if let kept, kept.edition >= edition {
                return Making(task: Task { kept.answer }, edition: kept.edition)
            }
            let making = Making(task: Task { try await run(key, edition, kept?.answer, make) }, edition: edition)
            state.makings[key] = making
            return making
        }
    }

    private func run(_ key: Key, _ edition: UInt64, _ kept: Answer?, _ make: Make) async throws -> Answer {
        let result: Result<Answer, any Error>
        do { result = .success(try await make(kept)) } catch { result = .failure(error) }
        state.withLock { state in
            state.makings[key] = nil
            guard case .success(let answer) = result else { return }
            state.misses += answer === kept ? 0 : 1
            state.store.set(Slot(answer: answer, edition: edition), for: key, cost: answer.cost)
        }
        return try result.get()
    }
}
