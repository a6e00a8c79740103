import Base
import HTTPClient
import HTTPTypes
import Hosting

/// The web role: the page, and an API on the page's own origin that passes requests on to the services behind it. It
/// keeps no state and writes no file.
package final class WebSiteService: Service {
    package let name = "web"
    package let metrics = Metrics()

    private let configuration: WebSiteConfiguration
    private let pages: Pages
    private let upstream: any Upstream
    let metadata: Backend
    private let uploader: Backend
    private let streaming: Backend

    package convenience init(configuration: WebSiteConfiguration, http: HTTPClient) throws {
        self.init(configuration: configuration, upstream: http)
    }

    init(configuration: WebSiteConfiguration, upstream: any Upstream) {
        self.configuration = configuration
        self.upstream = upstream
        pages = Pages(streaming: configuration.streaming)
        metadata = Backend(name: "metadata", url: configuration.metadata, upstream: upstream)
        uploader = Backend(name: "uploader", url: configuration.uploader, upstream: upstream)
        streaming = Backend(name: "streaming", url: configuration.streaming, upstream: upstream)
    }

    package func addRoutes(to router: inout Router) {
        pages.addRoutes(to: &router)
        addSystemRoutes(to: &router)
        addVideoRoutes(to: &router)
        addUploadRoutes(to: &router)
        addConsensusRoutes(to: &router)
    }

    /// The site itself; `GET /api/health` has the services behind it.
    package func health() async -> HealthReport { HealthReport(status: "healthy") }

    private func addSystemRoutes(to router: inout Router) {
        let (configuration, metadata, upstream) = (configuration, metadata, upstream)
        let backends = [metadata, uploader, streaming]
        router.add(.get, "/api/config", "The services' addresses as this browser must use them") { request in
            try .respond(Self.json(configuration.message(forBrowserAt: request.header("Host"))))
        }
        router.task(.get, "/api/health", "How the services behind the site are") { _ in
            try Self.json(await SystemHealth.ask(backends, through: upstream))
        }
        router.task(.get, "/api/stats", "Figures of the system and its storage nodes") { _ in
            try Self.json(try await SystemStats.ask(metadata))
        }
    }

    private func addVideoRoutes(to router: inout Router) {
        let metadata = metadata
        router.add(.get, "/api/videos", "The library, newest first (limit, offset)") { request in
            let limit = try request.integer("limit", default: 100, in: 1...1000)
            let offset = try request.integer("offset", default: 0, in: 0...Int.max)
            return .task { try await metadata.relay(.get, "/videos?limit=\(limit)&offset=\(offset)") }
        }
        router.add(.get, "/api/videos/{video_id}", "One video") { request in
            let id = try request.videoID()
            return .task { try await metadata.relay(.get, "/video/\(id)") }
        }
        router.add(.delete, "/api/videos/{video_id}", "Deletes a video") { request in
            try Self.refuseOtherSites(request)
            let id = try request.videoID()
            return .task { try await metadata.relay(.delete, "/video/\(id)") }
        }
        router.add(.post, "/api/videos/{video_id}/view", "Counts a view") { request in
            try Self.refuseOtherSites(request)
            let id = try request.videoID()
            return .task { try await metadata.relay(.post, "/video/\(id)/view") }
        }
    }

    private func addUploadRoutes(to router: inout Router) {
        let uploader = uploader
        router.add(.post, "/api/upload", "Uploads a video: multipart/form-data with 'title' and 'video'") { request in
            try Self.refuseOtherSites(request)
            return try UploadRelay(uploader: uploader).reply(to: request)
        }
        router.add(.get, "/api/upload/status/{session_id}", "How an upload is getting on") { request in
            let id = request.parameters["session_id"]
            // The rule of chunk ids, which every session id keeps, and which needs no percent-encoding.
            guard ChunkID(id) != nil else { throw Failure(.notFound, "there is no upload '\(id.prefix(80))'") }
            return .task { try await uploader.relay(.get, "/upload/status/\(id)") }
        }
    }

    static func json(_ value: some Encodable) throws -> Response {
        var response = try Response.json(value)
        response.headers["Cache-Control"] = "no-store"
        return response
    }

    /// A page of another site may send a form here without asking first. Browsers say so; other clients say nothing.
    /// - Throws: ``Failure`` (403).
    private static func refuseOtherSites(_ request: any RequestView) throws(Failure) {
        guard request.header("Sec-Fetch-Site")?.lowercased() == "cross-site" else { return }
        throw Failure(.forbidden, "a page of another site may not change anything here")
    }
}
