import Base
import ChunkPaxos
import Digests
import Foundation
import HTTPTypes
import StorageNodeAPI
import Testing

@testable import StorageNode

@Suite("Consensus over HTTP")
struct ConsensusRoutesTests {
    private let content: [UInt8] = [1, 2, 3, 4]
    private let path = "/chunk/v-chunk-000"

    private func read(_ node: TestNode) async throws -> AcceptorReport {
        let answer = try await node.send(.post, "/paxos/v-chunk-000/read", body: Array("{}".utf8))
        return try JSON.decode(AcceptorReport.self, from: answer.bytes)
    }

    private func call(_ node: TestNode, _ phase: String, _ body: some Encodable) async throws -> AcceptorReport {
        let answer = try await node.send(.post, "/paxos/v-chunk-000/\(phase)", body: try JSON.encode(body))
        #expect(answer.status == .ok)
        return try JSON.decode(AcceptorReport.self, from: answer.bytes)
    }

    @Test("a PUT with ballot and value stores and accepts at once")
    func putAccepting() async throws {
        let node = try TestNode()
        let value = chunkValue(content)
        let headers = try acceptanceHeaders(value, ballot: "0.abc")
        #expect(try await node.send(.put, path, headers: headers, body: content).status == .created)
        #expect(try await node.send(.put, path, headers: headers, body: content).status == .ok)
        let report = try await read(node)
        #expect(report.acceptedValue == value)
        #expect(report.acceptedBallot == Ballot(round: 0, proposer: 0xabc))
        #expect(report.storedChecksum == value.checksum && report.storedSizeBytes == 4)
    }

    @Test("a value that is not about these bytes, or cannot be read, is 400 and stores nothing")
    func badValues() async throws {
        let node = try TestNode()
        let other = try acceptanceHeaders(chunkValue([9, 9, 9, 9]), ballot: "0.1")
        #expect(try await node.send(.put, path, headers: other, body: content).status == .badRequest)
        let good = try acceptanceHeaders(chunkValue(content), ballot: "0.1")
        for (name, value) in [
            (StorageNodeHeader.ballot, "zero"), (StorageNodeHeader.value, "***"), (StorageNodeHeader.value, "e30="),
        ] {
            var headers = good
            headers[name] = value
            #expect(try await node.send(.put, path, headers: headers, body: content).status == .badRequest)
        }
        for name in [StorageNodeHeader.ballot, StorageNodeHeader.value] {
            var headers = good
            headers[name] = nil
            #expect(try await node.send(.put, path, headers: headers, body: content).status == .badRequest)
        }
        #expect(try await node.send(.head, path).status == .notFound)
    }

    @Test("a PUT that the acceptor refuses is 409 and shows what it has accepted")
    func refused() async throws {
        let node = try TestNode()
        let first = chunkValue(content)
        _ = try await node.send(.put, path, headers: try acceptanceHeaders(first, ballot: "0.1"), body: content)
        let second = try acceptanceHeaders(chunkValue(content, sequence: 5), ballot: "0.2")
        let answer = try await node.send(.put, path, headers: second, body: content)
        #expect(answer.status == .conflict && answer.detail?.isEmpty == false)
        struct Shown: Decodable {
            let acceptedValue: ChunkValue
            let acceptedBallot: Ballot
        }
        let shown = try JSON.decode(Shown.self, from: answer.bytes)
        #expect(shown.acceptedValue == first && shown.acceptedBallot == Ballot(round: 0, proposer: 1))
    }

    @Test("both phases: a promise holds, and a value needs its bytes")
    func bothPhases() async throws {
        let node = try TestNode()
        let value = chunkValue(content)
        let (low, high) = (Ballot(round: 1, proposer: 5), Ballot(round: 2, proposer: 5))
        #expect(try await call(node, "prepare", PrepareRequest(ballot: high)).granted)
        let lower = try await call(node, "prepare", PrepareRequest(ballot: low))
        #expect(!lower.granted && lower.promisedBallot == high)
        let without = try await call(node, "accept", AcceptRequest(ballot: high, value: value))
        #expect(!without.granted && without.storedChecksum == nil)
        #expect(try await node.send(.put, path, body: content).status == .created)
        #expect(try await call(node, "accept", AcceptRequest(ballot: low, value: value)).granted == false)
        #expect(try await call(node, "accept", AcceptRequest(ballot: high, value: value)).granted)
        #expect(try await read(node).acceptedValue == value)
    }

    @Test("malformed messages are 400, unknown chunks have an empty acceptor")
    func malformed() async throws {
        let node = try TestNode()
        for body in ["", "[]", "{}", #"{"ballot":7}"#, #"{"ballot":"1"}"#] {
            let answer = try await node.send(.post, "/paxos/v-chunk-000/prepare", body: Array(body.utf8))
            #expect(answer.status == .badRequest, "\(body)")
        }
        #expect(try await node.send(.post, "/paxos/a.b/read").status == .badRequest)
        let report = try await read(node)
        #expect(report.granted && report.promisedBallot == nil && report.acceptedValue == nil)
    }

    @Test("the list shows every chunk with its acceptor, page by page, and says where the node is")
    func listing() async throws {
        let node = try TestNode(["NODE_ID": "n7", "NODE_URL": "http://node-7:8081/"])
        try await node.service.start(url: "http://localhost:1")
        let value = chunkValue(content)
        let headers = try acceptanceHeaders(value, ballot: "0.abc")
        #expect(try await node.send(.put, path, headers: headers, body: content).status == .created)
        for number in 0..<4 { _ = try await node.send(.put, "/chunk/plain-\(number)", body: content) }
        var entries: [AcceptorListing.Entry] = []
        var after: String?
        repeat {
            let query = [("limit", "2")] + (after.map { [("after", $0)] } ?? [])
            let answer = try await node.send(.get, "/paxos", query: query)
            let page = try JSON.decode(AcceptorListing.self, from: answer.bytes)
            #expect(page.nodeId.description == "n7" && page.nodeUrl == "http://node-7:8081" && page.chunkCount == 5)
            #expect(page.entries.count <= 2 && page.unreadableCount == 0)
            entries += page.entries
            after = page.next
        } while after != nil
        #expect(entries.count == 5)
        let accepted = try #require(entries.first { $0.chunkId.description == "v-chunk-000" })
        #expect(accepted.acceptedValue == String(decoding: try value.encoded(), as: UTF8.self))
        #expect(accepted.acceptedBallot == Ballot(round: 0, proposer: 0xabc))
        #expect(accepted.storedChecksum == value.checksum && accepted.storedSizeBytes == 4)
        for query in [("limit", "0"), ("limit", "2001"), ("after", "x")] {
            #expect(try await node.send(.get, "/paxos", query: [query]).status == .badRequest)
        }
        await node.service.stop()
    }
}
