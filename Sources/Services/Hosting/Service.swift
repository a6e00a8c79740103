import Base
import HTTPTypes

/// A role: its routes, its health, and what it does beside answering.
package protocol Service: Sendable {
    /// Such as `storage-node`; `GET /health` says it, and logs carry it.
    var name: String { get }
    var metrics: Metrics { get }
    /// Under which name errors say their `detail` a second time; nil where its clients read `detail`.
    var errorKey: String? { get }
    /// Adds the role's routes. `/health`, `/metrics`, `/docs` and `/openapi.json` are added by the host.
    func addRoutes(to router: inout Router)
    func health() async -> HealthReport
    /// Begins what the role does in the background, once its port is open at `url`.
    func start(url: String) async throws
    /// Ends answers that would go on by themselves, such as streams of events, before the port waits for those under way.
    func endStreams()
    /// Finishes what is under way and flushes. Called once, after the port has stopped taking requests.
    func stop() async
}

extension Service {
    package var errorKey: String? { nil }
    package func start(url: String) async throws {}
    package func endStreams() {}
    package func stop() async {}
}

/// The body of `GET /health`: `status`, `service` and the role's own fields.
package struct HealthReport: Sendable {
    /// `healthy`, `degraded`, `warning` or `critical`. Critical is answered with 503.
    package var status: String
    package var fields: [String: HealthValue]

    package init(status: String, fields: [String: HealthValue] = [:]) {
        self.status = status
        self.fields = fields
    }
}

package enum HealthValue: Sendable, Encodable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    case text(String)
    case integer(Int)
    case number(Double)
    case flag(Bool)
    case texts([String])

    package init(stringLiteral value: String) { self = .text(value) }
    package init(integerLiteral value: Int) { self = .integer(value) }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .text(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .flag(let value): try container.encode(value)
        case .texts(let value): try container.encode(value)
        }
    }
}
