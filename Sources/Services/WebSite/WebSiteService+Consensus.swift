import Base
import ConsensusSimulator
import HTTPTypes

/// What the consensus page asks for.
extension WebSiteService {
    /// A scenario, without its steps.
    private struct ScenarioSummary: Encodable {
        let name: String
        let title: String
        let summary: String
    }

    func addConsensusRoutes(to router: inout Router) {
        let metadata = metadata
        router.add(.get, "/api/videos/{video_id}/manifest", "The chunks of a video") { request in
            let id = try request.videoID()
            return .task { try await metadata.relay(.get, "/manifest/\(id)") }
        }
        router.add(.get, "/api/consensus/{chunk_id}", "What the acceptors of a chunk have promised and accepted") {
            let id = try $0.chunkID()
            return .task { try await metadata.relay(.get, "/consensus/\(id)") }
        }
        router.task(.get, "/api/scenarios", "Stories about the protocol that the simulator tells") { _ in
            try Self.json(Scenario.all.map { ScenarioSummary(name: $0.name, title: $0.title, summary: $0.summary) })
        }
        router.task(.get, "/api/scenarios/{name}", "One of them, step by step") { request in
            let name = request.parameters["name"]
            guard let scenario = Scenario.named(name) else {
                throw Failure(.notFound, "there is no scenario '\(name.prefix(80))'")
            }
            return try Self.json(try scenario.run())
        }
    }
}
