import Base
import ChunkDelivery
import HTTPClient
import HTTPTypes
import Hosting
import MetadataAPI
import TemporaryStorage
import UploaderAPI

/// The uploader's HTTP face (8084).
package final class UploaderService: Service {
    private static let listCountMax = 1000

    package let name = "uploader-service"
    package let metrics = Metrics()
    private let configuration: UploaderConfiguration
    private let uploads: Uploads

    /// - Throws: ``Failure`` when the temporary folder cannot be used.
    package init(configuration: UploaderConfiguration, http: HTTPClient) throws {
        let metadata = MetadataClient(configuration.metadataURL, http: http)
        let nodes = HTTPChunkNodes(http: http, metadata: metadata)
        let health = SharedNodeHealth()
        self.configuration = configuration
        uploads = try Uploads(configuration: configuration, catalog: HTTPUploadCatalog(metadata: metadata)) {
            PlacementGroupSink(video: $0, isCreator: $1, nodes: nodes, health: health)
        }
        let (uploads, metrics) = (uploads, metrics)
        metrics.counter("vstack_uploads_received_total", "Uploads that arrived whole.") { uploads.received.value }
        metrics.counter("vstack_uploads_resumed_total", "Uploads that went on after a restart.") {
            uploads.resumed.value
        }
        metrics.counter("vstack_uploads_completed_total", "Uploads that became a video.") { uploads.completed.value }
        metrics.counter("vstack_uploads_failed_total", "Uploads that failed after they arrived.") {
            uploads.failed.value
        }
        metrics.gauge("vstack_uploads_active", "Uploads under way.") { Double(uploads.sessions.activeCount) }
        metrics.gauge("vstack_uploads_reserved_bytes", "Temporary space promised and not yet taken.") {
            Double(uploads.space.outstandingBytes)
        }
    }

    package func health() async -> HealthReport {
        HealthReport(status: "healthy", fields: ["active_uploads": .integer(uploads.sessions.activeCount)])
    }

    package func start(url: String) async throws { uploads.start() }

    package func stop() async { await uploads.stop() }

    package func addRoutes(to router: inout Router) {
        router.add(.post, "/upload", "Uploads a video: multipart form with 'video' (file) and 'title'") {
            [uploads, configuration] view in try Self.upload(view, uploads, bytesMax: configuration.uploadBytesMax)
        }
        router.add(.get, "/upload/status/{upload_session_id}", "An upload's progress") { [uploads] view in
            let id = view.parameters["upload_session_id"]
            guard let session = uploads.sessions.session(id) else {
                throw Failure(.notFound, "there is no upload session '\(id.prefix(80))'")
            }
            return .respond(try .json(UploadEntry(session)))
        }
        router.add(.get, "/uploads", "Recent uploads, the newest first ('limit', 100)") { [uploads] view in
            let limit = try view.integer("limit", default: 100, in: 1...Self.listCountMax)
            return .respond(try .json(UploadList(uploads: uploads.sessions.recent(limit).map(UploadEntry.init))))
        }
        router.add(.get, "/", "What this is") { _ in
            .respond(try .json(["message": "V-Stack Uploader Service", "version": Version.current]))
        }
    }

    private static func upload(_ view: any RequestView, _ uploads: Uploads, bytesMax: Int) throws -> Reply {
        let type = (view.header("Content-Type") ?? "").lowercased()
        guard type.hasPrefix("multipart/form-data") else {
            throw Failure(
                .unsupportedMediaType,
                "an upload is a multipart/form-data form with the fields 'video' (a file) and 'title'")
        }
        let length = view.contentLength
        let reservation = try uploads.reserve(contentLength: length)
        let (limit, overflow) = bytesMax.addingReportingOverflow(Uploads.formBytesMax)
        return .form(limit: overflow ? nil : limit) { form in
            let answer = try await uploads.receive(form, reservation: reservation, contentLength: length)
            var response = try Response.json(answer, status: .accepted)
            response.headers["Location"] = answer.statusUrl
            return response
        }
    }
}

extension UploadEntry {
    fileprivate init(_ session: UploadSession) {
        self.init(
            uploadSessionId: session.id, videoId: session.videoID, title: session.title, filename: session.filename,
            status: session.status, progress: session.progress, startedAt: session.startedAt,
            totalChunks: session.totalChunks, error: session.error)
    }
}
