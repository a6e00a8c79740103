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

    /// A cache of one value, which is loaded from `source`.
    private final class Loading: Sendable {
        let time = TestTime()
        let loads = Locked(0)
        let source = Locked(Result<String, Failure>.success("a"))

        static let down = Result<String, Failure>.failure(Failure(.unavailable, "down"))

        func cache() -> CoalescingCache<Int, String> {
            CoalescingCache(
                costMax: 10, lifetime: { _ in .seconds(4) }, grace: .seconds(60), clock: { self.time.now },
                cost: { _ in 1 },
                load: { _, _ in
                    self.loads.withLock { $0 += 1 }
                    return try self.source.withLock { $0 }.get()
                })
        }

        func give(_ result: Result<String, Failure>) { source.withLock { $0 = result } }
    }

    @Test("a value past its lifetime is loaded anew, and serves on while that is not possible")
    func lifetime() async throws {
        let loading = Loading()
        let cache = loading.cache()
        #expect(cache.fresh(1) == nil)
        #expect(try await cache.value(for: 1) == "a")
        loading.give(.success("b"))
        loading.time.pass(.seconds(3))
        #expect(try await cache.value(for: 1) == "a")
        loading.time.pass(.seconds(1))
        #expect(cache.fresh(1) == nil)
        #expect(try await cache.value(for: 1) == "b")
        loading.give(Loading.down)
        loading.time.pass(.seconds(4))
        #expect(try await cache.value(for: 1) == "b")
        loading.time.pass(.seconds(60))
        await #expect(throws: Failure.self) { try await cache.value(for: 1) }
    }

    @Test("what is down is asked once in a lifetime, not for every request")
    func patience() async throws {
        let loading = Loading()
        let cache = loading.cache()
        _ = try await cache.value(for: 1)
        loading.give(Loading.down)
        loading.time.pass(.seconds(4))
        for _ in 0..<10 { #expect(try await cache.value(for: 1) == "a") }
        #expect(cache.fresh(1) == "a")
        #expect(loading.loads.withLock { $0 } == 2)
    }

    @Test("what is gone is forgotten at once")
    func gone() async throws {
        let loading = Loading()
        let cache = loading.cache()
        _ = try await cache.value(for: 1)
        loading.give(.failure(Failure(.notFound, "gone")))
        loading.time.pass(.seconds(4))
        await #expect(throws: Failure.self) { try await cache.value(for: 1) }
        loading.give(Loading.down)
        await #expect(throws: Failure.self) { try await cache.value(for: 1) }
        loading.give(.success("back"))
        #expect(try await cache.value(for: 1) == "back")
    }

    @Test("a value in the second half of its lifetime is loaded anew while it serves on, once")
    func ahead() async throws {
        let loading = Loading()
        let cache = loading.cache()
        _ = try await cache.value(for: 1)
        loading.time.pass(.seconds(1))
        #expect(cache.fresh(1) == "a")
        #expect(loading.loads.withLock { $0 } == 1)
        loading.give(.success("b"))
        loading.time.pass(.seconds(1))
        #expect(cache.fresh(1) == "a")
        while cache.fresh(1) != "b" { await Task.yield() }
        #expect(loading.loads.withLock { $0 } == 2)
        loading.time.pass(.seconds(3))
        #expect(cache.fresh(1) == "b")
    }
}
