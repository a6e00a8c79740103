import Base
import Catalog
import ChunkPaxos
import HTTPTypes
import MetadataAPI
import Testing

@testable import Metadata

@Suite("Nodes")
struct NodeRouteTests {
    private struct Nodes: Decodable { let nodes: [NodeSummary] }

    @Test("a node registers by query or by body, and again with another URL")
    func register() async throws {
        try await Harness.run(nodes: 0) { harness in
            let query = "/nodes/register?node_url=http%3A%2F%2Fa%3A8081%2F&node_id=a&version=2.0.0"
            let answer = try await harness.call(.post, query)
            #expect(answer.text == #"{"node_id":"a","node_url":"http://a:8081","status":"registered"}"#)
            let id = try #require(NodeID("a"))
            let again = RegisterNodeRequest(nodeUrl: "https://b", nodeId: id, version: nil)
            #expect(try await harness.call(.post, "/nodes/register", again).status == 200)
            let nodes: Nodes = try await harness.call(.get, "/nodes/all").decoded()
            #expect(nodes.nodes.map(\.nodeUrl) == ["https://b"])
            #expect(nodes.nodes.map(\.version) == ["1.0.0"])
        }
    }

    @Test(
        "a registration that cannot be right is 400",
        arguments: [
            "node_url=a:8081&node_id=a", "node_url=ftp://a&node_id=a", "node_url=http://&node_id=a",
            "node_url=http://:80&node_id=a", "node_url=http://a", "node_id=a", "node_url=http://a&node_id=", "",
            "node_url=http://a?x%3D1&node_id=a", "node_url=http://a&node_id=a&zone=two%20words",
            "node_url=http://a&node_id=a&zone=",
        ])
    func badRegistrations(_ query: String) async throws {
        try await Harness.run(nodes: 0) { harness in
            let answer = try await harness.call(.post, "/nodes/register?\(query)")
            #expect(answer.status == 400)
            #expect(!answer.detail.isEmpty)
        }
    }

    @Test("status follows from heartbeats and reports")
    func statuses() async throws {
        struct Summary: Decodable, Equatable {
            let healthy: Int
            let degraded: Int
            let down: Int
        }
        try await Harness.run { harness in
            func summary() async throws -> Summary { try await harness.call(.get, "/nodes/health-summary").decoded() }
            func heartbeat(_ node: Int, disk: Double, corrupt: [ChunkID]? = nil) async throws {
                let answer = try await harness.call(
                    .post, "/nodes/node-\(node)/heartbeat",
                    HeartbeatRequest(diskUsagePercent: disk, chunkCount: 5, corruptChunks: corrupt))
                #expect(answer.status == 200)
            }
            #expect(try await summary() == Summary(healthy: 3, degraded: 0, down: 0))
            let bad = try #require(ChunkID("bad"))
            try await heartbeat(1, disk: 85)
            try await heartbeat(2, disk: 84.9, corrupt: [bad])
            #expect(try await summary() == Summary(healthy: 1, degraded: 2, down: 0))
            let healthy: [NodeSummary] = try await harness.call(.get, "/nodes/healthy").decoded()
            #expect(healthy.map(\.nodeId.description) == ["node-3"])
            try await heartbeat(1, disk: 10)
            try await heartbeat(2, disk: 10)
            harness.clock.advance(seconds: 29.9)
            #expect(try await summary() == Summary(healthy: 3, degraded: 0, down: 0))
            try await heartbeat(3, disk: 10)
            harness.clock.advance(seconds: 0.1)
            #expect(try await summary() == Summary(healthy: 1, degraded: 0, down: 2))
            try await heartbeat(1, disk: 10)
            #expect(try await summary() == Summary(healthy: 2, degraded: 0, down: 1))
        }
    }

    @Test("a stranger's heartbeat is 404, a senseless one 400")
    func badHeartbeats() async throws {
        try await Harness.run { (harness) async throws in
            let report = HeartbeatRequest(diskUsagePercent: 1, chunkCount: 1)
            #expect(try await harness.call(.post, "/nodes/stranger/heartbeat", report).status == 404)
            for body in [
                #"{"disk_usage_percent":101,"chunk_count":1}"#, #"{"disk_usage_percent":1,"chunk_count":-1}"#, "{}",
            ] {
                #expect(try await harness.call(.post, "/nodes/node-1/heartbeat", bytes: Array(body.utf8)).status == 400)
            }
        }
    }

    @Test("a node whose proofs cannot be checked has to register before its heartbeats count")
    func heartbeatWithoutProofKey() async throws {
        try await Harness.run(nodes: 0) { harness in
            let id = try #require(NodeID("a"))
            func register(_ key: ProofKey?) async throws {
                let request = RegisterNodeRequest(
                    nodeUrl: "http://a", nodeId: id, version: nil, acceptorId: AcceptorID(high: 1, low: 1),
                    proofKey: key)
                #expect(try await harness.call(.post, "/nodes/register", request).status == 200)
            }
            func heartbeat() async throws -> Int {
                let report = HeartbeatRequest(diskUsagePercent: 1, chunkCount: 1)
                return try await harness.call(.post, "/nodes/a/heartbeat", report).status
            }
            try await register(nil)
            #expect(try await heartbeat() == 404)
            try await register(ProofKey([UInt8](repeating: 7, count: 32)))
            #expect(try await heartbeat() == 200)
        }
    }

    @Test("registered nodes and their last reports survive a restart")
    func restart() async throws {
        try await Harness.run { harness in
            harness.clock.advance(seconds: 5)
            _ = try await harness.call(
                .post, "/nodes/node-2/heartbeat", HeartbeatRequest(diskUsagePercent: 90, chunkCount: 12))
            let before = try await harness.call(.get, "/nodes/all")
            try await harness.restarted { (next) async throws in
                #expect(try await next.call(.get, "/nodes/all").body == before.body)
                #expect(try await next.call(.post, "/video", CreateVideoRequest(title: "x")).status == 200)
            }
        }
    }

    @Test("a node that says it cannot write or vote is degraded, and new videos go elsewhere")
    func impairedNode() async throws {
        try await Harness.run(nodes: 5) { harness in
            let report = HeartbeatRequest(diskUsagePercent: 1, chunkCount: 1, impairment: "read-only")
            for node in [2, 4] {
                #expect(try await harness.call(.post, "/nodes/node-\(node)/heartbeat", report).status == 200)
            }
            let healthy: [NodeSummary] = try await harness.call(.get, "/nodes/healthy").decoded()
            #expect(healthy.map(\.nodeId.description) == ["node-1", "node-3", "node-5"])
            let all = try await harness.call(.get, "/nodes/all").decoded(Nodes.self).nodes
            #expect(all.map(\.impairment) == [nil, "read-only", nil, "read-only", nil])
            #expect(all.map(\.status) == [.healthy, .degraded, .healthy, .degraded, .healthy])
            for _ in 0..<10 {
                let nodes = try await Upload(harness).created.placementGroup.nodes.map(\.nodeId.description)
                #expect(nodes.sorted() == ["node-1", "node-3", "node-5"])
            }
            let well = HeartbeatRequest(diskUsagePercent: 1, chunkCount: 1)
            #expect(try await harness.call(.post, "/nodes/node-2/heartbeat", well).status == 200)
            #expect(try await harness.call(.get, "/nodes/healthy").decoded([NodeSummary].self).count == 4)
        }
    }

    @Test("slow answers degrade a node for a while")
    func slowAnswers() throws {
        let id = try #require(NodeID("a"))
        let start = ManualClock().now()
        let node = Node(id: id, url: "http://a", version: "1", lastHeartbeat: start, report: NodeReport())
        var directory = NodeDirectory(nodes: [node], timeoutSec: 100, now: start)
        directory.onAnswer(of: id, seconds: 0.9, now: start)
        #expect(directory.entries.map(\.status) == [.healthy])
        let version = directory.version
        directory.onAnswer(of: id, seconds: 1.1, now: start)
        #expect(directory.entries.map(\.status) == [.degraded])
        #expect(directory.version == version + 1)
        directory.refresh(now: start.adding(seconds: 29))
        #expect(directory.entries.map(\.status) == [.degraded])
        directory.refresh(now: start.adding(seconds: 30))
        #expect(directory.entries.map(\.status) == [.healthy])
        directory.refresh(now: start.adding(seconds: 100))
        #expect(directory.entries.map(\.status) == [.down])
    }

    @Test("a full disk takes no new video, a merely crowded one does when it must")
    func placement() async throws {
        try await Harness.run { harness in
            for (node, disk) in [(1, 99.0), (2, 90), (3, 20)] {
                _ = try await harness.call(
                    .post, "/nodes/node-\(node)/heartbeat", HeartbeatRequest(diskUsagePercent: disk, chunkCount: 1))
            }
            let upload = try await Upload(harness)
            #expect(Set(upload.urls) == [Harness.url(1), Harness.url(2)])
        }
    }

    @Test("a video's copies are in three zones, which nodes name by query or body")
    func zones() async throws {
        try await Harness.run(nodes: 0) { harness in
            for number in 0..<9 {
                let id = try #require(NodeID("node-\(number + 1)"))
                harness.cluster.add(id, at: Harness.url(number))
                let request = RegisterNodeRequest(
                    nodeUrl: Harness.url(number), nodeId: id, version: nil, zone: "rack-\(number / 3)")
                #expect(try await harness.call(.post, "/nodes/register", request).status == 200)
            }
            for _ in 0..<20 {
                let numbers = try await Upload(harness).urls.compactMap { url in
                    (0..<9).first { Harness.url($0) == url }
                }
                #expect(Set(numbers.map { $0 / 3 }) == [0, 1, 2])
            }
            let query = "/nodes/register?node_url=http%3A%2F%2Fnode-1%3A8081&node_id=node-1&zone=rack-9"
            #expect(try await harness.call(.post, query).status == 200)
            let nodes: Nodes = try await harness.call(.get, "/nodes/all").decoded()
            #expect(nodes.nodes.map(\.zone).first == "rack-9")
        }
    }

    @Test("new videos go where there is room, and numbers that cannot be are 400")
    func room() async throws {
        try await Harness.run(nodes: 6) { harness in
            for number in 0..<6 {
                let report = HeartbeatRequest(
                    diskUsagePercent: 1, chunkCount: 1, capacityBytes: 1 << 40,
                    storedBytes: number == 0 ? 500 << 30 : 100 << 30)
                #expect(try await harness.call(.post, "/nodes/node-\(number + 1)/heartbeat", report).status == 200)
            }
            var onFull = 0
            for _ in 0..<50 { onFull += try await Upload(harness).urls.contains(Harness.url(0)) ? 1 : 0 }
            // Half of all would be its part; far less than one of a hundred is due to it.
            #expect(onFull <= 10)
            for (capacity, stored) in [(0, 0), (-1, 0), (1, -1)] {
                let report = HeartbeatRequest(
                    diskUsagePercent: 1, chunkCount: 1, capacityBytes: capacity, storedBytes: stored)
                #expect(try await harness.call(.post, "/nodes/node-1/heartbeat", report).status == 400)
            }
        }
    }

    @Test("settings that are wrong are named")
    func settings() {
        for (name, value) in [
            ("NODE_TIMEOUT", "soon"), ("EXTERNAL_URL_MAP", "http://a"), ("EXTERNAL_URL_MAP", "a=b"),
            ("CHUNK_SIZE", "0"), ("ENABLE_EXTERNAL_TRANSLATION", "maybe"),
        ] {
            let error = #expect(throws: Failure.self) {
                try MetadataConfiguration(settings: Settings(environment: [name: value]))
            }
            #expect(error?.message.contains(name) == true)
        }
    }
}
