import Base
import HTTPClient
import HTTPTypes
import Hosting
import Jobs
import MetadataAPI
import TranscoderAPI

/// The transcoding service (8002): starts, stops and shows the transcoding of videos, and is what followers talk to.
/// It keeps nothing: the queue is in the catalog.
package final class TranscoderService: Service {
    package let name = "transcoding_service"
    package let metrics = Metrics()

    private let configuration: TranscoderConfiguration
    private let metadata: MetadataClient
    private let fleet: FleetRoutes?

    package init(configuration: TranscoderConfiguration, http: HTTPClient) {
        self.configuration = configuration
        metadata = MetadataClient(configuration.metadataURL, http: http)
        let metadata = metadata
        fleet = configuration.token.map { FleetRoutes(metadata: metadata, gate: SharedTokenGate($0)) }
    }

    package func health() async -> HealthReport {
        HealthReport(
            status: "healthy",
            fields: [
                "metadata_service_url": .text(configuration.metadataURL), "takes_followers": .flag(fleet != nil),
            ])
    }

    package func addRoutes(to router: inout Router) {
        router.json(.post, "/transcode/start", "Start a video's transcoding, or add qualities", TranscodeRequest.self) {
            [metadata] _, body in
            let request = StartJobRequest(networkSpeed: body.networkSpeed, qualities: body.qualities)
            _ = try await metadata.startJob(body.uploadId, request)
            return try .json(TranscodeStarted(body.uploadId))
        }
        router.task(.post, "/transcode/resume", "Go on with everything that is stopped or has failed") {
            [metadata] _ in
            try .json(TranscodeResumed(resumedCount: try await metadata.resumeJobs().resumedCount))
        }
        addVideoRoutes(to: &router)
        if let fleet { fleet.add(to: &router) } else { FleetRoutes.refuse(in: &router) }
    }

    private func addVideoRoutes(to router: inout Router) {
        let metadata = metadata
        let video = "/transcode/{video_id}"
        for path in ["/transcode/status/{video_id}", "\(video)/status"] {
            router.video(.get, path, "How a video's transcoding goes") { id in
                async let layout = metadata.layout(id)
                return try .json(TranscodeStatus(try await metadata.job(id), try await layout))
            }
        }
        router.video(.get, "\(video)/qualities", "The qualities that are made, and those that can be played") { id in
            async let layout = metadata.layout(id)
            return try .json(QualitiesMessage(TranscodeStatus(try await metadata.job(id), try await layout)))
        }
        router.video(.get, "/transcode/explain/{video_id}", "Why a video's transcoding is as it is") { id in
            let job = try await metadata.job(id)
            return try .json(
                TranscodeExplanation(uploadId: id.compact, overall: job.overall, explanation: job.explanation))
        }
        router.video(.post, video, "Start a video's transcoding with all qualities that suit it") { id in
            _ = try await metadata.startJob(id, StartJobRequest())
            return try .json(TranscodeStarted(id))
        }
        for method in [HTTPMethod.post, .put] {
            router.video(method, "\(video)/stop", "Do nothing more for a video for now") { id in
                try await metadata.stopJob(id)
                return try .json(StoppedMessage(status: "stopped", uploadId: id.compact))
            }
            router.video(method, "\(video)/resume", "Go on with a video, and try again what has failed") { id in
                try .json(TranscodeResumed(resumedCount: try await metadata.resumeJob(id).resumedCount))
            }
        }
    }
}

struct StoppedMessage: Encodable {
    let status: String
    let uploadId: String
}

/// `GET /transcode/{id}/qualities`
struct QualitiesMessage: Encodable {
    let uploadId: String
    let qualities: [String: TranscodeStatus.Quality]
    /// Labels of those that are complete, the best first.
    let available: [String]

    init(_ status: TranscodeStatus) {
        uploadId = status.uploadId
        qualities = status.qualities
        available = status.qualities.filter { $0.value.status == .ok }.keys.sorted {
            (Int($0.dropLast()) ?? 0) > (Int($1.dropLast()) ?? 0)
        }
    }
}
