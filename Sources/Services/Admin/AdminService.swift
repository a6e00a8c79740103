import Base
import HTTPClient
import HTTPTypes
import Hosting
import Library
import MetadataAPI

/// The admin service (8005): how all is, what to do about a video, and the gateway paths of the video backend. It keeps
/// nothing of its own.
package final class AdminService: Service {
    package let name = "admin_service"
    package let metrics = Metrics()

    private let configuration: AdminConfiguration
    private let metadata: MetadataClient
    private let http: HTTPClient

    package init(configuration: AdminConfiguration, http: HTTPClient) {
        self.configuration = configuration
        self.http = http
        metadata = MetadataClient(configuration.metadataURL, http: http)
    }

    /// The service itself; `GET /admin/status` has all the others.
    package func health() async -> HealthReport { HealthReport(status: "healthy") }

    package func addRoutes(to router: inout Router) {
        let (services, metadata, http) = (configuration.services, metadata, http)
        router.task(.get, "/admin/status", "How every service and every storage node is") { _ in
            try .json(await SystemStatus.ask(services, metadata, http))
        }
        router.add(.get, "/admin/videos", "All videos, newest first (limit, offset)") { request in
            let limit = try request.integer("limit", default: 1000, in: 1...1000)
            let offset = try request.integer("offset", default: 0, in: 0...Int.max)
            return .task { try .json(LibraryListing(try await metadata.videos(limit: limit, offset: offset))) }
        }
        router.task(.post, "/admin/resume_all", "Go on with every transcoding that is stopped or has failed") { _ in
            try .json(ResumedAll(status: "resumed", resumedCount: try await metadata.resumeJobs().resumedCount))
        }
        addVideoRoutes(to: &router)
        LibraryRoutes(metadata: metadata).add(to: &router)
    }

    private func addVideoRoutes(to router: inout Router) {
        let video = "/admin/videos/{video_id}"
        add(.get, "\(video)/status", "All that is known of a video", to: &router) { metadata, id in
            async let job = metadata.jobIfAny(id)
            return try .json(VideoStatusReport(try await metadata.layout(id), try await job))
        }
        add(.delete, video, "Delete a video and all its chunks", to: &router) { metadata, id in
            try await metadata.deleteVideo(id)
            return try .json(Outcome(status: "deleted", videoId: id))
        }
        add(.post, "\(video)/stop", "Transcode nothing more of a video for now", to: &router) { metadata, id in
            try await metadata.stopJob(id)
            return try .json(Outcome(status: "stopped", videoId: id))
        }
        add(.post, "\(video)/resume", "Go on with a video's transcoding", to: &router) { metadata, id in
            let isResumed = try await metadata.resumeJob(id).resumedCount > 0
            return try .json(Resumed(status: "resumed", videoId: id, transcodingStarted: isResumed))
        }
    }

    private func add(
        _ method: HTTPMethod, _ path: String, _ summary: String, to router: inout Router,
        answer: @escaping @Sendable (MetadataClient, VideoID) async throws -> Response
    ) {
        router.add(method, path, summary) { [metadata] request in
            let id = try request.videoID()
            return .task { try await answer(metadata, id) }
        }
    }

    private struct Outcome: Encodable {
        let status: String
        let videoId: VideoID
    }

    private struct Resumed: Encodable {
        let status: String
        let videoId: VideoID
        let transcodingStarted: Bool
    }

    private struct ResumedAll: Encodable {
        let status: String
        let resumedCount: Int
    }
}

extension MetadataClient {
    /// nil where a video has no job.
    fileprivate func jobIfAny(_ id: VideoID) async throws -> JobMessage? {
        do { return try await job(id) } catch let error as HTTPClientError where error.code == .status(.notFound) {
            return nil
        }
    }
}
