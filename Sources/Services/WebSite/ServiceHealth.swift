import Base
import HTTPClient
import HTTPTypes

/// `GET /api/health`: how the services behind the site are.
struct SystemHealth: Codable, Sendable {
    struct ServiceState: Codable, Sendable {
        /// What the service says of itself, or `unreachable`.
        let status: String
        let url: String
        let error: String?
    }

    /// `healthy` when every service is, else `degraded`.
    let status: String
    let service: String
    let services: [String: ServiceState]

    /// Asks all services at once.
    static func ask(_ backends: [Backend]) async -> SystemHealth {
        let services = await withTaskGroup(of: (String, ServiceState).self) { group in
            for backend in backends { group.addTask { (backend.name, await backend.state()) } }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        let isHealthy = services.values.allSatisfy { $0.status == "healthy" }
        return SystemHealth(status: isHealthy ? "healthy" : "degraded", service: "web", services: services)
    }
}

extension Backend {
    /// How long a service may take to say how it is.
    private static let healthTimeout: Duration = .seconds(3)

    fileprivate func state() async -> SystemHealth.ServiceState {
        struct Report: Decodable { let status: String }
        var request = ClientRequest.get(url.text + "/health")
        request.totalTimeout = Self.healthTimeout
        do {
            let report = try JSON.decode(Report.self, from: try await send(request).body)
            return SystemHealth.ServiceState(status: report.status, url: url.text, error: nil)
        } catch {
            let reason = (error as? any PresentableError)?.message ?? "the \(name) service does not answer"
            return SystemHealth.ServiceState(status: "unreachable", url: url.text, error: reason)
        }
    }
}
