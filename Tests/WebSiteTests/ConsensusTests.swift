import Base
import ConsensusSimulator
import HTTPTypes
import Testing

@testable import WebSite

@Suite struct ConsensusTests {
    @Test("the page answers by both of its names", arguments: ["/consensus", "/consensus.html"])
    func page(path: String) async throws {
        let answer = try await Site().call(.get, path)
        #expect(answer.status == .ok)
        #expect(answer.headers["Content-Type"] == "text/html; charset=utf-8")
    }

    @Test("the acceptors of a chunk and the chunks of a video are the metadata service's answers")
    func relayed() async throws {
        let site = try Site(network: FakeNetwork { _ in FakeNetwork.json(#"{"phase":"committed"}"#) })
        let video = "550e8400-e29b-41d4-a716-446655440000"
        let answer = await site.call(.get, "/api/consensus/\(video)-chunk-000")
        #expect(String(decoding: answer.bytes, as: UTF8.self).contains("committed"))
        _ = await site.call(.get, "/api/videos/\(video)/manifest")
        #expect(
            site.network.calls == [
                "GET http://localhost:8080/consensus/\(video)-chunk-000", "GET http://localhost:8080/manifest/\(video)",
            ])
        #expect(await site.call(.get, "/api/consensus/a.b").status == .badRequest)
    }

    @Test("each scenario that is listed is told step by step, by those who take part in it")
    func scenarios() async throws {
        struct Listed: Decodable {
            let name: String
            let title: String
        }
        let site = try Site()
        let listed = try JSON.decode([Listed].self, from: await site.call(.get, "/api/scenarios").bytes)
        #expect(listed.map(\.name).prefix(3) == ["normal", "rivals", "node-down"])
        for one in listed {
            let answer = await site.call(.get, "/api/scenarios/\(one.name)")
            let told = try JSON.decode(Scenario.Result.self, from: answer.bytes)
            #expect(told.title == one.title && !told.steps.isEmpty && told.chosen != nil)
            let names = Set(told.clients + told.nodes)
            for step in told.steps {
                #expect([step.event.from, step.event.to].compactMap { $0 }.allSatisfy(names.contains), "\(step.event)")
            }
        }
        #expect(await site.call(.get, "/api/scenarios/unheard-of").status == .notFound)
    }
}
