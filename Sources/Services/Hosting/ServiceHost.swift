import Base
import Dispatch
import Foundation
import HTTPServer
import HTTPTypes

/// Runs a role: its port, the routes every role has, its beginning and its end.
package final class ServiceHost: Sendable {
    /// Where it can be reached, such as `http://localhost:8080`.
    package let url: String
    package let name: String

    private let service: any Service
    private let server: HTTPServer

    /// Opens the role's port and starts it. Until its background work has begun it answers already.
    /// - Throws: ``Failure`` that says why the port or the role could not start.
    package init(_ service: any Service, configuration: ServerConfiguration) async throws {
        var router = Router()
        service.addRoutes(to: &router)
        StandardRoutes.add(to: &router, service: service)
        var configuration = configuration
        configuration.errorKey = service.errorKey
        server = try HTTPServer(
            configuration: configuration, router: router, metrics: service.metrics, log: Logger(service.name))
        url = Self.url(host: configuration.host, port: server.port)
        name = service.name
        self.service = service
        do { try await service.start(url: url) } catch {
            await stop()
            throw error
        }
        Logger(name).info("listening", ["url": url])
    }

    /// How this machine reaches what listens on `host`; what listens on every address is reached by the machine's own.
    package static func url(host: String, port: Int) -> String {
        guard !["0.0.0.0", "::", "127.0.0.1", "localhost"].contains(host) else { return "http://localhost:\(port)" }
        return "http://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }

    /// Takes no more requests, finishes those under way, then ends the role.
    package func stop() async {
        service.endStreams()
        // Waiting for requests under way blocks, so it has a thread of its own.
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { [server] in
                server.stop()
                continuation.resume()
            }
        }
        await service.stop()
    }
}
