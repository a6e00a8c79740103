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
        router.task(.post, "/admin/resume_all", "Go on with every transcoding that is stopped or has failed") { _ in
            try .json(ResumedAll(status: "resumed", resumedCount: try await metadata.resumeJobs().resumedCount))
        }
        addVideoRoutes(to: &router)
        let library = LibraryRoutes(metadata: metadata)
        library.addListing(at: "/admin/videos", to: &router)
        library.add(to: &router)
    }

    private func addVideoRoutes(to router: inout Router) {
        let metadata = metadata
        let video = "/admin/videos/{video_id}"
        router.video(.get, "\(video)/status", "All that is known of a video") { id in
            async let job = metadata.jobIfAny(id)
            return try .json(VideoStatusReport(try await metadata.layout(id), try await job))
        }
        router.video(.delete, video, "Delete a video and all its chunks") { id in
            try await metadata.deleteVideo(id)
            return try .json(Outcome(status: "deleted", videoId: id))
        }
        router.video(.post, "\(video)/stop", "Transcode nothing more of a video for now") { id in
            try await metadata.stopJob(id)
            return try .json(Outcome(status: "stopped", videoId: id))
        }
        router.video(.post, "\(video)/resume", "Go on with a video's transcoding") { id in
            let isResumed = try await metadata.resumeJob(id).resumedCount > 0
            return try .json(Resumed(status: "resumed", videoId: id, transcodingStarted: isResumed))
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
