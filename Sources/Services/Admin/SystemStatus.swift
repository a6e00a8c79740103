import Base
import HTTPClient
import HostingAPI
import MetadataAPI

/// `GET /admin/status`: every service as it says it is, and where the chunks are.
struct SystemStatus: Encodable, Sendable {
    struct Storage: Encodable, Sendable {
        let nodes: [NodeSummary]
        let healthyNodes: Int
        /// nil where the metadata service does not answer.
        let error: String?
    }

    let services: [String: ServiceState]
    let storage: Storage
    /// `healthy` when every service and every storage node is, else `degraded`.
    let overall: String

    /// Asks all at once.
    static func ask(_ services: [String: String], _ metadata: MetadataClient, _ http: HTTPClient) async -> SystemStatus
    {
        async let storage = Storage.ask(metadata)
        let states = await ServiceState.ask(all: services) { try await http.send($0) }
        return SystemStatus(states, await storage)
    }

    init(_ services: [String: ServiceState], _ storage: Storage) {
        self.services = services
        self.storage = storage
        let isWell = storage.healthyNodes == storage.nodes.count && !storage.nodes.isEmpty
        overall = isWell && services.values.allSatisfy { $0.status == "healthy" } ? "healthy" : "degraded"
    }
}

extension SystemStatus.Storage {
    fileprivate static func ask(_ metadata: MetadataClient) async -> Self {
        do {
            let nodes = try await metadata.nodes().sorted { $0.nodeId < $1.nodeId }
            return Self(nodes: nodes, healthyNodes: nodes.count { $0.status == .healthy }, error: nil)
        } catch {
            let reason = (error as? any PresentableError)?.message ?? "the metadata service does not answer"
            return Self(nodes: [], healthyNodes: 0, error: reason)
        }
    }
}
