import Base
import HTTPClient
import HTTPTypes
import HostingAPI
import MetadataAPI
import Testing

@testable import WebSite

@Suite struct SystemTests {
    @Test("health names every service, and is degraded when one does not answer")
    func health() async throws {
        let site = try Site(
            network: FakeNetwork { request in
                if request.url.contains(":8084") { throw FakeNetwork.nobodyAnswers }
                return FakeNetwork.json(#"{"status":"healthy","service":"x","more":1}"#)
            })
        let health = try JSON.decode(SystemHealth.self, from: await site.call(.get, "/api/health").bytes)
        #expect(health.status == "degraded")
        #expect(health.services.keys.sorted() == ["metadata", "streaming", "uploader"])
        #expect(health.services["metadata"]?.status == "healthy")
        #expect(health.services["uploader"]?.status == "unreachable")
        #expect(health.services["uploader"]?.error?.isEmpty == false)
    }

    @Test("health is healthy when every service is")
    func allHealthy() async throws {
        let site = try Site(network: FakeNetwork { _ in FakeNetwork.json(#"{"status":"healthy"}"#) })
        let answer = await site.call(.get, "/api/health")
        #expect(answer.status == .ok)
        #expect(try JSON.decode(SystemHealth.self, from: answer.bytes).status == "healthy")
        #expect(Set(site.network.calls) == Set([8080, 8084, 8004].map { "GET http://localhost:\($0)/health" }))
    }

    @Test("a service that answers nonsense counts as unreachable")
    func nonsense() async throws {
        let site = try Site(network: FakeNetwork { _ in FakeNetwork.json("<html>") })
        let health = try JSON.decode(SystemHealth.self, from: await site.call(.get, "/api/health").bytes)
        #expect(health.services.values.allSatisfy { $0.status == "unreachable" })
    }

    @Test("stats are the metadata service's figures with its nodes in order")
    func stats() async throws {
        let figures = """
            {"total_videos":42,"total_chunks":2520,"total_replicas":7560,"healthy_nodes":2,"service_version":"1.0.0"}
            """
        func node(_ id: String) -> String {
            """
            {"node_id":"\(id)","node_url":"http://\(id)","status":"healthy","last_heartbeat":"2024-11-06T10:35:00Z",
            "disk_usage_percent":45.2,"chunk_count":7,"version":"1.0.0","corrupt_chunks":[],"zone":"default"}
            """
        }
        let nodes = #"{"nodes":[\#(node("b")),\#(node("a"))]}"#
        let site = try Site(
            network: FakeNetwork { FakeNetwork.json($0.url.hasSuffix("/stats") ? figures : nodes) })
        let answer = await site.call(.get, "/api/stats")
        let stats = try JSON.decode(SystemStats.self, from: answer.bytes)
        #expect(stats.totalVideos == 42)
        #expect(stats.totalReplicas == 7560)
        #expect(stats.nodes.map(\.nodeId.description) == ["a", "b"])
        #expect(answer.text.contains(#""disk_usage_percent":45.2"#))
    }

    @Test("stats without the metadata service are a 503")
    func noStats() async throws {
        #expect(try await Site().call(.get, "/api/stats").status == .serviceUnavailable)
    }
}
