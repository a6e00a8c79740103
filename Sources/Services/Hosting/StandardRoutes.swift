import Base
import HTTPTypes

/// What every role answers beside its own routes.
enum StandardRoutes {
    static func add(to router: inout Router, service: any Service) {
        let known = Set(router.routes.map { "\($0.method.rawValue) \($0.pattern)" })
        router.task(.get, "/health", "Whether the service is well.") { _ in
            let report = await service.health()
            return try Response.json(
                HealthBody(service: service.name, report: report),
                status: report.status == "critical" ? .serviceUnavailable : .ok)
        }
        let metrics = service.metrics
        router.add(.get, "/metrics", "What the service counts, as Prometheus text.") { _ in
            .respond(.text(metrics.exposition, contentType: "text/plain; version=0.0.4; charset=utf-8"))
        }
        let page = DocumentationPage(service: service.name)
        for (path, asset) in page.assets where !known.contains("GET \(path)") {
            router.add(.get, path, path == "/docs" ? "This description." : "") { _ in .respond(asset) }
        }
        let description = OpenAPI.describe(service: service.name, routes: router.routes)
        router.add(.get, "/openapi.json", "The API's description (OpenAPI 3.0).") { _ in
            .respond(
                Response(.ok, headers: ["Content-Type": "application/json"], body: .bytes(Array(description.utf8))))
        }
    }

    /// The report's own fields beside `status` and `service`, in one object.
    private struct HealthBody: Encodable {
        let service: String
        let report: HealthReport

        private struct Key: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(report.status, forKey: Key(stringValue: "status"))
            try container.encode(service, forKey: Key(stringValue: "service"))
            for (name, value) in report.fields { try container.encode(value, forKey: Key(stringValue: name)) }
        }
    }
}
