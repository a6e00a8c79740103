import Base
import HTTPClient

/// How a service is, as it says itself in `GET /health`, seen by another one.
package struct ServiceState: Codable, Sendable {
    /// What the service says of itself, or `unreachable`.
    package let status: String
    package let url: String
    /// Its whole report; nil where it gave none.
    package let response: JSONValue?
    /// Why it is unreachable, in words.
    package let error: String?

    /// How long a service may take to say how it is.
    private static let timeout: Duration = .seconds(3)

    package typealias Send = @Sendable (ClientRequest) async throws -> ClientResponse

    /// Asks the service at `url`.
    /// - Parameter send: carries the question; what it throws is why the service is unreachable.
    package static func ask(_ url: String, through send: Send) async -> ServiceState {
        var request = ClientRequest.get("\(url)/health")
        request.totalTimeout = timeout
        do {
            return ServiceState(url, report: try JSON.decode(JSONValue.self, from: try await send(request).body))
        } catch {
            let reason = (error as? any PresentableError)?.message ?? "it does not answer"
            return ServiceState(status: "unreachable", url: url, response: nil, error: reason)
        }
    }

    /// Asks all services at once.
    /// - Parameter services: addresses by the services' names.
    package static func ask(all services: [String: String], through send: @escaping Send) async -> [String: Self] {
        await withTaskGroup(of: (String, ServiceState).self) { group in
            for (name, url) in services { group.addTask { (name, await ask(url, through: send)) } }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    package init(status: String, url: String, response: JSONValue?, error: String?) {
        self.status = status
        self.url = url
        self.response = response
        self.error = error
    }

    private init(_ url: String, report: JSONValue) {
        if case .object(let fields) = report, case .text(let status) = fields["status"] {
            self.init(status: status, url: url, response: report, error: nil)
        } else {
            self.init(status: "unreachable", url: url, response: report, error: "no V-Stack service answers there")
        }
    }
}
