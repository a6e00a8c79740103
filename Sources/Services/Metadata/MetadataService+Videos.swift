import Base
import Catalog
import ChunkPaxos
import Digests
import Foundation
import HTTPTypes
import Jobs
import MetadataAPI
import Placement

extension MetadataService {
    /// Characters of a title, after white space at its ends is taken away.
    static let titleLengths = 1...500
    /// Thirty years, so that a time in any unit is still a number.
    static let durationSecMax = 1e9
    private static let filenameBytesMax = 1024
    /// Of why a video failed; the rest is cut off.
    private static let errorCharactersMax = 2000
    /// A published video names every segment: 10 hours at 2 s are 18,000 of about 100 bytes in each rendition.
    private static let publicationBytesMax = 16 * ByteCount.mebibyte

    func addVideoRoutes(to router: inout Router) {
        router.json(.post, "/video", "Enter a video and choose its placement group", CreateVideoRequest.self) {
            _, body in try await self.createVideo(body)
        }
        router.add(.get, "/videos", "List videos, newest first") { view in
            let limit = try view.integer("limit", default: 100, in: 1...1000)
            let offset = try view.integer("offset", default: 0, in: 0...Int(Int32.max))
            return .task {
                try .json(try await self.catalog.videos(limit: limit, offset: offset).map(VideoSummary.init))
            }
        }
        router.add(.get, "/video/{video_id}", "One video") { view in
            let id = try view.videoID()
            return .task { try .json(VideoSummary(try await self.requireVideo(id))) }
        }
        router.json(
            .patch, "/video/{video_id}", "Give a video another title, or its original another name",
            UpdateVideoRequest.self
        ) {
            request, body in try await self.updateVideo(try request.videoID(), body)
        }
        router.json(.patch, "/video/{video_id}/status", "Set a video's status", StatusRequest.self) {
            request, body in try await self.setStatus(try request.videoID(), body)
        }
        router.add(.delete, "/video/{video_id}", "Remove a video and, in time, its chunks") { view in
            let id = try view.videoID()
            return .task {
                try await self.deleteVideo(id)
                return Response(.noContent)
            }
        }
        router.json(
            .post, "/video/{video_id}/publish", "Enter renditions and the original, and make the video active",
            PublishRequest.self, limit: Self.publicationBytesMax
        ) { request, body in
            let id = try request.videoID()
            guard body.ladder == nil else { throw Failure(.invalidArgument, "'ladder' is for followers to fill") }
            let publication = try Publication(body)
            let job = try JobPlanner.plan(for: publication).map { NewJob(plan: $0, createdAt: self.time.now()) }
            try await self.catalog.publish(id, publication, job: job)
            self.manifests.invalidate(id)
            await self.journal.settle(id)
            return try .json(VideoStatusMessage(videoId: id, status: .active))
        }
        addPopularityRoutes(to: &router)
    }

    private func addPopularityRoutes(to router: inout Router) {
        router.add(.get, "/video/{video_id}/popularity", "How often a video was viewed") { view in
            let id = try view.videoID()
            return .task {
                try .json(PopularityMessage(videoId: id, viewCount: try await self.requireVideo(id).viewCount))
            }
        }
        router.add(.post, "/video/{video_id}/view", "Count a view") { view in
            let id = try view.videoID()
            return .task {
                _ = try await self.catalog.addView(of: id)
                return try .json(OutcomeMessage(status: "ok", message: "View count incremented for \(id)"))
            }
        }
    }

    func requireVideo(_ id: VideoID) async throws -> Video {
        guard let video = try await catalog.video(id) else { throw Failure(.notFound, "there is no video \(id)") }
        return video
    }

    private static func title(_ text: String) throws(Failure) -> String {
        let title = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard titleLengths.contains(title.count) else {
            throw Failure(
                .invalidArgument,
                "'title' has \(title.count) characters: it must have 1 to \(titleLengths.upperBound)")
        }
        return title
    }

    private static func check(filename: String?) throws(Failure) {
        guard (filename?.utf8.count ?? 0) <= filenameBytesMax else {
            throw Failure(.invalidArgument, "'filename' is longer than \(filenameBytesMax) bytes")
        }
    }

    private func updateVideo(_ id: VideoID, _ body: UpdateVideoRequest) async throws -> Response {
        let title = try body.title.map(Self.title)
        try Self.check(filename: body.filename)
        try await catalog.rename(id, title: title, filename: body.filename)
        manifests.invalidate(id)
        await journal.settle(id)
        return try .json(VideoSummary(try await requireVideo(id)))
    }

    private func createVideo(_ body: CreateVideoRequest) async throws -> Response {
        let title = try Self.title(body.title)
        guard (0...Self.durationSecMax).contains(body.durationSec ?? 0) else {
            throw Failure(.invalidArgument, "'duration_sec' must be 0 to \(Self.durationSecMax)")
        }
        try Self.check(filename: body.filename)
        let id = VideoID()
        guard let group = registry.placementGroup(for: id) else {
            throw Failure(
                .unavailable,
                "no healthy storage node is there to place a video on (\(registry.view.entries.count) registered): "
                    + "start one and try again")
        }
        let ballot = Ballot(round: 0, proposer: SecureRandom.word())
        try await catalog.createVideo(
            NewVideo(
                id: id, title: title, filename: body.filename, durationSec: body.durationSec ?? 0, group: group,
                creator: ballot.proposer, createdAt: time.now()))
        // Nobody waits for it: an upload that is lost with the catalog is sent again.
        journal.submit(id)
        return try .json(
            CreateVideoResponse(
                videoId: id, uploadUrl: "/upload/\(id)",
                placementGroup: PlacementGroupMessage(id: group.id, nodes: registry.view.members(of: group)),
                ballot: ballot))
    }

    private func setStatus(_ id: VideoID, _ body: StatusRequest) async throws -> Response {
        let now = time.now()
        switch body.status {
        case .deleted: try await deleteVideo(id)
        // A sign of life, and nothing that the nodes should know.
        case .uploading: try await catalog.setStatus(of: id, to: .uploading, error: nil, at: now)
        case .active: try await setStatus(id, .active, error: nil, at: now)
        case .failed:
            let error = body.error.map { String($0.prefix(Self.errorCharactersMax)) }
            try await setStatus(id, .failed, error: error, at: now)
        }
        manifests.invalidate(id)
        return try .json(VideoStatusMessage(videoId: id, status: body.status))
    }

    private func setStatus(_ id: VideoID, _ status: Video.Status, error: String?, at time: Timestamp) async throws {
        try await catalog.setStatus(of: id, to: status, error: error, at: time)
        manifests.invalidate(id)
        await journal.settle(id)
    }

    private func deleteVideo(_ id: VideoID) async throws {
        try await catalog.deleteVideo(id)
        manifests.invalidate(id)
        await journal.settle(id)
        reaper.wake()
    }
}
