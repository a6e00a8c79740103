import Base
import HTTPClient
import MetadataAPI

/// `GET /api/stats`: the metadata service's figures, and its storage nodes.
struct SystemStats: Codable, Sendable {
    let totalVideos: Int
    let totalChunks: Int
    let totalReplicas: Int
    let healthyNodes: Int
    let serviceVersion: String
    let nodes: [NodeSummary]

    /// - Throws: ``Failure`` when the metadata service does not answer, ``HTTPClientError`` when it answers an error.
    static func ask(_ metadata: Backend) async throws -> SystemStats {
        async let figures = metadata.send(.get(metadata.url.text + "/stats")).decoded(as: Figures.self)
        async let listing = metadata.send(.get(metadata.url.text + "/nodes/all")).decoded(as: NodeListing.self)
        let (stats, nodes) = try await (figures, listing.nodes)
        return SystemStats(
            totalVideos: stats.totalVideos, totalChunks: stats.totalChunks, totalReplicas: stats.totalReplicas,
            healthyNodes: stats.healthyNodes, serviceVersion: stats.serviceVersion,
            nodes: nodes.sorted { $0.nodeId < $1.nodeId })
    }

    private struct Figures: Decodable {
        let totalVideos: Int
        let totalChunks: Int
        let totalReplicas: Int
        let healthyNodes: Int
        let serviceVersion: String
    }

    private struct NodeListing: Decodable { let nodes: [NodeSummary] }
}
