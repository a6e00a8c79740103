import Base
import HTTPTypes
import MetadataAPI
import Synchronization
import Testing

@testable import Streaming

@Suite struct AnswerCacheTests {
    private let memory = AnswerMemory(bytesMax: 1_000_000)
    private let key = AnswerCache.Key(video: VideoID(), asset: .master)

    @Test("an answer serves its edition and those before, and a newer one only when it is the same for it")
    func editions() async throws {
        let cache = AnswerCache(bytesMax: 100_000)
        let made = Locked(0)
        let memory = memory
        func ask(_ edition: UInt64, _ text: String) async throws -> Answer {
            try await cache.answer(key, edition: edition) { kept in
                made.withLock { $0 += 1 }
                return try kept?.tag == EntityTag(text) ? kept! : Answer(text, memory)
            }
        }
        let first = try await ask(5, "one")
        #expect(cache.find(key, edition: 5) === first)
        #expect(cache.find(key, edition: 4) === first)
        #expect(cache.find(key, edition: 6) == nil)
        #expect(try await ask(6, "one") === first)
        #expect(cache.find(key, edition: 6) === first)
        #expect(try await ask(7, "two") !== first)
        #expect(made.withLock { $0 } == 3)
        #expect(cache.misses == 2)
    }

    @Test("one making at a time for all who ask, and who asks for a newer edition does not get the older one's answer")
    func oneMaking() async throws {
        let slow = SlowMaking()
        let old = Task { try await slow.ask(1) }
        while slow.made.isEmpty { await Task.yield() }
        let same = Task { try await slow.ask(1) }
        let new = Task { try await slow.ask(2) }
        slow.open()
        #expect(try await old.value == EntityTag("edition 1"))
        #expect(try await new.value == EntityTag("edition 2"))
        _ = try await same.value
        #expect(slow.made == [1, 2])
    }

    @Test("a failure reaches all who wait and is not remembered")
    func failure() async throws {
        let cache = AnswerCache(bytesMax: 100_000)
        let memory = memory
        await #expect(throws: Failure.self) {
            try await cache.answer(key, edition: 1) { _ in throw Failure(.unavailable, "down") }
        }
        #expect(try await cache.answer(key, edition: 1) { _ in try Answer("up", memory) }.tag == EntityTag("up"))
    }

    @Test("nothing over the bound is kept, and what is dropped gives its memory back when nobody sends it any more")
    func bounded() async throws {
        let memory = AnswerMemory(bytesMax: 400_000)
        let cache = AnswerCache(bytesMax: 300_000)
        let text = String(repeating: "x", count: 100_000)
        var sent: [Answer] = []
        for index in 0..<4 {
            let key = AnswerCache.Key(video: key.video, asset: .segment(quality: "source", index: index))
            sent.append(try await cache.answer(key, edition: 1) { _ in try Answer(text, memory) })
            #expect(cache.bytesKept <= 300_000)
        }
        #expect(memory.usedBytes == 400_000)
        #expect(throws: Failure.self) { try memory.take(1) }
        sent = []
        #expect(memory.usedBytes == 200_000)
    }
}

/// A cache whose answers are not made before it is opened.
private final class SlowMaking: Sendable {
    private struct State {
        var isOpen = false
        var made: [UInt64] = []
    }

    private let cache = AnswerCache(bytesMax: 100_000)
    private let memory = AnswerMemory(bytesMax: 100_000)
    private let key = AnswerCache.Key(video: VideoID(), asset: .master)
    private let state = Locked(State())

    /// The editions for which answers were made.
    var made: [UInt64] { state.withLock { $0.made } }

    func open() { state.withLock { $0.isOpen = true } }

    func ask(_ edition: UInt64) async throws -> EntityTag {
        try await cache.answer(key, edition: edition) { [self] _ in
            state.withLock { $0.made.append(edition) }
            while !state.withLock({ $0.isOpen }) { await Task.yield() }
            return try Answer("edition \(edition)", memory)
        }.tag
    }
}

extension Answer {
    fileprivate convenience init(_ text: String, _ memory: AnswerMemory) throws {
        let bytes = try memory.take(text.utf8.count)
        bytes.buffer.copyBytes(from: text.utf8)
        self.init(bytes.region, tag: EntityTag(text), contentType: "text/plain", cacheControl: "no-cache")
    }
}
