import Base
import ChunkPaxos
import ChunkStore
import Digests
import Foundation
import HTTPTypes
import MetadataAPI
import StorageNodeAPI
import Testing

@testable import StorageNode

@Suite("Consensus over HTTP")
struct ConsensusRoutesTests {
    private let content: [UInt8] = [1, 2, 3, 4]
    private let path = "/chunk/v-chunk-000"

    /// Version 0 of the chunk, with this node as the only acceptor, whichever disk it has.
    private var alone: Configuration {
        guard let membership = try? chunkValue(content).holders() else { fatalError() }
        return Configuration(initial: membership)
    }

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
        #expect(try await call(node, "prepare", PrepareRequest(configuration: alone, ballot: high)).granted)
        let lower = try await call(node, "prepare", PrepareRequest(configuration: alone, ballot: low))
        #expect(!lower.granted && lower.promisedBallot == high)
        let without = try await call(node, "accept", AcceptRequest(configuration: alone, ballot: high, value: value))
        #expect(!without.granted && without.storedChecksum == nil)
        #expect(try await node.send(.put, path, body: content).status == .created)
        #expect(
            try await call(node, "accept", AcceptRequest(configuration: alone, ballot: low, value: value)).granted
                == false)
        #expect(try await call(node, "accept", AcceptRequest(configuration: alone, ballot: high, value: value)).granted)
        #expect(try await read(node).acceptedValue == value)
    }

    @Test("a PUT that was accepted brings the proof of it, which says what was accepted and by whom")
    func proof() async throws {
        let registry = RegisteredNodes()
        let node = try TestNode(registry: registry)
        try await node.service.start(url: "http://localhost:1")
        let value = chunkValue(content)
        let ballot = Ballot(round: 0, proposer: 0xabc)
        let headers = try acceptanceHeaders(value, ballot: ballot.description)
        let registration = try await registry.next()
        let key = AcceptanceProof(key: try #require(registration.proofKey).bytes)
        let acceptor = node.service.store.acceptorID
        #expect(registration.acceptorId == acceptor)
        for _ in 0..<2 {
            let answer = try await node.send(.put, path, headers: headers, body: content)
            #expect(answer.headers[StorageNodeHeader.acceptor] == acceptor.description)
            let proof = try #require(answer.headers[StorageNodeHeader.proof].flatMap { SHA256Digest($0) })
            let id = try #require(ChunkID("v-chunk-000")), other = try #require(ChunkID("v-chunk-001"))
            let bytes = try value.encoded()
            #expect(key.proves(proof, id, ballot, value: bytes, by: acceptor))
            #expect(!key.proves(proof, other, ballot, value: bytes, by: acceptor))
            #expect(!key.proves(proof, id, Ballot(round: 1, proposer: 0xabc), value: bytes, by: acceptor))
            #expect(!key.proves(proof, id, ballot, value: bytes + [0], by: acceptor))
            #expect(!key.proves(proof, id, ballot, value: bytes, by: AcceptorID(high: 1, low: 1)))
            let wrong = AcceptanceProof(key: [UInt8](repeating: 0, count: 32))
            #expect(!wrong.proves(proof, id, ballot, value: bytes, by: acceptor))
        }
        let plain = try await node.send(.put, "/chunk/plain", body: content)
        #expect(plain.headers[StorageNodeHeader.proof] == nil)
        await node.service.stop()
    }

    @Test("a message for another disk, other nodes or a made-up membership says what is wrong and changes nothing")
    func foreign() async throws {
        let node = try TestNode()
        let value = chunkValue(content)
        #expect(try await node.send(.put, path, body: content).status == .created)
        let me = try #require(value.nodes.first)
        let disk = AcceptorID(high: 1, low: 2)
        let wiped = Configuration(initial: try Membership([Membership.Member(me, disk)]))
        let ballot = Ballot(round: 1, proposer: 5)
        let prepare = try JSON.encode(PrepareRequest(configuration: wiped, ballot: ballot))
        let refusal = try await node.send(.post, "/paxos/v-chunk-000/prepare", body: prepare)
        #expect(refusal.status == .conflict && refusal.detail?.contains("\(disk)") == true)
        let strangers = try acceptanceHeaders(chunkValue(content, node: "elsewhere"), ballot: "0.1")
        let put = try await node.send(.put, path, headers: strangers, body: content)
        #expect(put.status == .conflict && put.detail?.contains("elsewhere") == true)
        let other = Configuration(initial: try chunkValue(content, node: "elsewhere").holders())
        for body in [
            try JSON.encode(AcceptRequest(configuration: other, ballot: ballot, value: value)),
            Array(#"{"configuration":{"version":1,"members":[{"node_id":"a"}]},"ballot":"1.1"}"#.utf8),
            Array(#"{"configuration":{"version":0,"members":[]},"ballot":"1.1"}"#.utf8),
        ] {
            let answer = try await node.send(.post, "/paxos/v-chunk-000/accept", body: body)
            #expect(answer.status == .badRequest && answer.detail?.isEmpty == false)
        }
        let made = try #require(
            Configuration(
                version: 1, membership: try Membership([Membership.Member(me)]),
                base: try chunkValue(content, node: "elsewhere").encoded()))
        let install = try JSON.encode(InstallRequest(configuration: made))
        #expect(try await node.send(.post, "/paxos/v-chunk-000/install", body: install).status == .badRequest)
        let report = try await read(node)
        #expect(report.promisedBallot == nil && report.acceptedValue == nil && report.configuration == nil)
        #expect(report.acceptorId == node.service.store.acceptorID)
    }

    @Test("a chunk that has gone on answers the version before with the one that it is in")
    func installed() async throws {
        let node = try TestNode()
        let value = chunkValue(content)
        let next = try #require(alone.successor(chosen: try value.encoded(), holders: try value.holders()))
        let install = try JSON.encode(InstallRequest(configuration: next))
        #expect(try await node.send(.post, "/paxos/v-chunk-000/install", body: install).status == .ok)
        let late = try await call(
            node, "prepare", PrepareRequest(configuration: alone, ballot: Ballot(round: 7, proposer: 1)))
        #expect(!late.granted && late.configuration == next && late.promisedBallot == nil)
        let headers = try acceptanceHeaders(value, ballot: "0.1")
        #expect(try await node.send(.put, path, headers: headers, body: content).status == .conflict)
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
        let value = chunkValue(content, node: "n7")
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

/// Hands on what registers.
private final class RegisteredNodes: NodeRegistry {
    private let (stream, feed) = AsyncStream.makeStream(of: RegisterNodeRequest.self)

    func register(_ request: RegisterNodeRequest) async throws { feed.yield(request) }

    func heartbeat(_ node: NodeID, _ request: HeartbeatRequest) async throws {}

    func next() async throws -> RegisterNodeRequest {
        for await request in stream { return request }
        throw CancellationError()
    }
}
