import Base
import Foundation
import HTTPTypes
import Testing

@testable import StorageNode

@Suite("Answers kept ready")
struct ReadyAnswersTests {
    private let small = (0..<2_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }

    private func prepared(_ reply: Reply) -> PreparedResponse? {
        if case .prepared(let response) = reply { response } else { nil }
    }

    /// Reads until the answer comes from a core that has read the chunk before.
    private func readyAnswer(_ node: TestNode, _ path: String) throws -> PreparedResponse? {
        for _ in 0..<1_000 {
            if let answer = prepared(try node.reply(.get, path)) { return answer }
        }
        return nil
    }

    @Test("a small chunk that is read again is answered as it was the first time, by an answer made once a core")
    func smallChunk() async throws {
        let node = try TestNode()
        _ = try await node.send(.put, "/chunk/a", body: small)
        guard case .respond(let first) = try node.reply(.get, "/chunk/a") else {
            Issue.record("a chunk that is read for the first time has no answer ready")
            return
        }
        var answers = Set<ObjectIdentifier>()
        for _ in 0..<500 {
            guard let again = prepared(try node.reply(.get, "/chunk/a")) else { continue }
            answers.insert(ObjectIdentifier(again))
            #expect(again.response.status == .ok && again.response.bytes == small)
            #expect(Array(again.response.headers).map(\.value) == Array(first.headers).map(\.value))
        }
        #expect((1...ProcessInfo.processInfo.processorCount).contains(answers.count))
        #expect(node.service.counters.gets.value == 501)
        #expect(node.service.counters.bytesRead.value == 501 * small.count)
    }

    @Test("a range, a condition and a large chunk are answered one by one")
    func othersAreNot() async throws {
        let node = try TestNode()
        _ = try await node.send(.put, "/chunk/a", body: small)
        let tag = try #require(try await node.send(.get, "/chunk/a").headers["ETag"])
        _ = try readyAnswer(node, "/chunk/a")
        #expect(prepared(try node.reply(.get, "/chunk/a", headers: ["Range": "bytes=0-9"])) == nil)
        #expect(try await node.send(.get, "/chunk/a", headers: ["Range": "bytes=0-9"]).bytes == Array(small[..<10]))
        #expect(try await node.send(.get, "/chunk/a", headers: ["If-None-Match": tag]).status == .notModified)
        let large = [UInt8](repeating: 3, count: ReadyAnswers.chunkBytesMax + 1)
        _ = try await node.send(.put, "/chunk/b", body: large)
        for _ in 0..<100 { #expect(prepared(try node.reply(.get, "/chunk/b")) == nil) }
    }

    @Test("a chunk that was deleted, or that the disk has damaged since, is not answered from what is kept")
    func neverStale() async throws {
        let node = try TestNode()
        for name in ["a", "b"] {
            _ = try await node.send(.put, "/chunk/\(name)", body: [UInt8](name.utf8) + small)
            #expect(try readyAnswer(node, "/chunk/\(name)") != nil)
        }
        #expect(try await node.send(.delete, "/chunk/a").status == .noContent)
        #expect(try await node.send(.get, "/chunk/a").status == .notFound)
        let file = try #require(FileHandle(forUpdatingAtPath: "\(node.directory)/superblocks/000001.vsb"))
        var bytes = try #require(try file.readToEnd())
        let place = try #require(bytes.firstRange(of: [UInt8](("b").utf8) + small[..<64])).lowerBound + 8
        bytes[place] ^= 1
        try file.seek(toOffset: UInt64(place))
        try file.write(contentsOf: [bytes[place]])
        #expect(try await node.send(.get, "/chunk/b").status == .internalServerError)
    }

    @Test("a ping is answered by the same answer until a figure in it changes")
    func ping() async throws {
        let node = try TestNode()
        var answers = Set<ObjectIdentifier>()
        var kept: [PreparedResponse] = []
        for _ in 0..<2_000 {
            let answer = try #require(prepared(try node.reply(.get, "/ping")))
            kept.append(answer)
            answers.insert(ObjectIdentifier(answer))
        }
        // The time it took is one of the figures; on a busy machine it is not always the same.
        #expect(answers.count < 1_000)
        _ = try await node.send(.put, "/chunk/a", body: small)
        #expect(try await node.send(.get, "/ping").headers["X-Chunk-Count"] == "1")
    }
}
