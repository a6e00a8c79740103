import Base
import Synchronization
import Testing

@testable import Streaming

@Suite struct CacheTests {
    @Test("what was used longest ago goes first, and the cost never exceeds the bound")
    func leastRecentlyUsed() {
        var store = LRUStore<Int, String>(costMax: 10)
        for key in 0..<5 { store.set("\(key)", for: key, cost: 2) }
        #expect(store.value(for: 0) == "0")
        store.set("new", for: 9, cost: 3)
        #expect(store.cost == 9)
        #expect(store.value(for: 1) == nil && store.value(for: 2) == nil)
        #expect([0, 3, 4, 9].allSatisfy { store.value(for: $0) != nil })
    }

    @Test("what costs more than the bound is not kept, and replaces what was there")
    func tooLarge() {
        var store = LRUStore<Int, String>(costMax: 10)
        store.set("small", for: 1, cost: 4)
        store.set("other", for: 2, cost: 4)
        store.set("huge", for: 1, cost: 11)
        #expect(store.value(for: 1) == nil)
        #expect(store.value(for: 2) == "other")
        #expect(store.cost == 4)
    }

    @Test("against a plain model, for thousands of random steps")
    func model() {
        var store = LRUStore<Int, Int>(costMax: 50)
        var model: [(key: Int, value: Int, cost: Int)] = []
        var random = SystemRandomNumberGenerator()
        for step in 0..<20_000 {
            let key = Int.random(in: 0..<20, using: &random)
            if Bool.random(using: &random) {
                let expected = model.firstIndex { $0.key == key }
                #expect(store.value(for: key) == expected.map { model[$0].value })
                if let expected { model.append(model.remove(at: expected)) }
            } else {
                let cost = Int.random(in: 0...20, using: &random)
                store.set(step, for: key, cost: cost)
                model.removeAll { $0.key == key }
                model.append((key, step, cost))
                while model.reduce(0, { $0 + $1.cost }) > 50 { model.removeFirst() }
            }
            #expect(store.count == model.count)
            #expect(store.cost == model.reduce(0) { $0 + $1.cost })
        }
    }

    @Test("a value past its lifetime is loaded anew, and serves on while that is not possible")
    func lifetime() async throws {
        let now = Locked(ContinuousClock.now)
        let cache = CoalescingCache<Int, String>(
            costMax: 10, lifetime: .seconds(5), grace: .seconds(60), clock: { now.withLock { $0 } }, cost: { _ in 1 })
        let load: @Sendable (Result<String, Failure>) async throws -> String = { result in
            try await cache.value(for: 1) { try result.get() }
        }
        let down = Result<String, Failure>.failure(Failure(.unavailable, "down"))
        #expect(try await load(.success("a")) == "a")
        now.withLock { $0 += .seconds(4) }
        #expect(try await load(.success("b")) == "a")
        now.withLock { $0 += .seconds(1) }
        #expect(try await load(down) == "a")
        await #expect(throws: Failure.self) { try await load(.failure(Failure(.notFound, "gone"))) }
        #expect(try await load(.success("c")) == "c")
        now.withLock { $0 += .seconds(65) }
        await #expect(throws: Failure.self) { try await load(down) }
    }

    @Test("a failed load is not remembered")
    func failure() async throws {
        let cache = CoalescingCache<Int, String>(costMax: 10, cost: { _ in 1 })
        await #expect(throws: Failure.self) { try await cache.value(for: 1) { throw Failure(.unavailable, "down") } }
        #expect(try await cache.value(for: 1) { "up" } == "up")
        #expect(cache.misses == 2 && cache.hits == 0)
    }
}
