import Base
import HTTPClient
import MetadataAPI

/// `GET /admin/status`: every service as it says it is, and where the chunks are.
struct SystemStatus: Encodable, Sendable {
    struct ServiceState: Encodable, Sendable {
        /// What the service says of itself, or `unreachable`.
        let status: String
        let url: String
        /// Its whole report.
        let response: JSONValue?
        let error: String?
    }

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
        let states = await withTaskGroup(of: (String, ServiceState).self) { group in
            for (name, url) in services { group.addTask { (name, await ServiceState.ask(url, http)) } }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        return SystemStatus(states, await storage)
    }

    init(_ services: [String: ServiceState], _ storage: Storage) {
        self.services = services
        self.storage = storage
        let isWell = storage.healthyNodes == storage.nodes.count && !storage.nodes.isEmpty
        overall = isWell && services.values.allSatisfy { $0.status == "healthy" } ? "healthy" : "degraded"
    }
}

extension SystemStatus.ServiceState {
    /// How long a service may take to say how it is.
    private static let timeout: Duration = .seconds(3)

    fileprivate static func ask(_ url: String, _ http: HTTPClient) async -> Self {
        var request = ClientRequest.get("\(url)/health")
        request.totalTimeout = timeout
        do {
            let report = try JSON.decode(JSONValue.self, from: try await http.send(request).body)
            guard case .object(let fields) = report, case .text(let status) = fields["status"] else {
                return Self(
                    status: "unreachable", url: url, response: report, error: "no V-Stack service answers there")
            }
            return Self(status: status, url: url, response: report, error: nil)
        } catch {
            let reason = (error as? any PresentableError)?.message ?? "it does not answer"
            return Self(status: "unreachable", url: url, response: nil, error: reason)
        }
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
