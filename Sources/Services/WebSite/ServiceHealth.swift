import HostingAPI

/// `GET /api/health`: how the services behind the site are.
struct SystemHealth: Codable, Sendable {
    /// `healthy` when every service is, else `degraded`.
    let status: String
    let service: String
    let services: [String: ServiceState]

    /// Asks all services at once.
    static func ask(_ backends: [Backend], through upstream: any Upstream) async -> SystemHealth {
        let addresses = Dictionary(uniqueKeysWithValues: backends.map { ($0.name, $0.url.text) })
        let services = await ServiceState.ask(all: addresses) {
            try await upstream.send($0, bodyLimit: Backend.answerBytesMax)
        }
        let isHealthy = services.values.allSatisfy { $0.status == "healthy" }
        return SystemHealth(status: isHealthy ? "healthy" : "degraded", service: "web", services: services)
    }
}
