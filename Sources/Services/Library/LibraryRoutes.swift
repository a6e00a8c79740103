import Base
import HTTPTypes
import MetadataAPI

/// The list of videos as the video backend's clients know it. The library service has these routes, and the admin
/// service as the backend's gateway.
package struct LibraryRoutes: Sendable {
    private let metadata: MetadataClient

    package init(metadata: MetadataClient) { self.metadata = metadata }

    package func add(to router: inout Router) {
        addListing(at: "/videos", to: &router)
        router.json(.post, "/videos", "Enter a video that was uploaded; again changes nothing", Entry.self) {
            [metadata] _, body in
            let video = try await metadata.video(body.hash)
            if let filename = body.filename, video.filename == nil {
                _ = try await metadata.updateVideo(body.hash, UpdateVideoRequest(filename: filename))
            }
            return try .json(Entered(id: video.videoId, hash: video.videoId.compact))
        }
        addVideoRoutes(to: &router)
        addStopRoutes(to: &router)
    }

    /// The list itself, which the admin service has at another path too.
    package func addListing(at path: String, to router: inout Router) {
        router.add(.get, path, "All videos, newest first (limit, offset)") { [metadata] request in
            let limit = try request.integer("limit", default: 1000, in: 1...1000)
            let offset = try request.integer("offset", default: 0, in: 0...Int.max)
            return .task { try .json(LibraryListing(try await metadata.videos(limit: limit, offset: offset))) }
        }
    }

    private func addVideoRoutes(to router: inout Router) {
        router.video(.get, "/videos/{hash}", "One video", id: "hash") { [metadata] id in
            try .json(LibraryVideo(try await metadata.video(id)))
        }
        router.json(.put, "/videos/{hash}", "Give a video another title or filename", UpdateVideoRequest.self) {
            [metadata] request, body in
            _ = try await metadata.updateVideo(try request.videoID("hash"), body)
            return try .json(Outcome(status: "updated"))
        }
        router.video(.delete, "/videos/{hash}", "Delete a video and all its chunks", id: "hash") { [metadata] id in
            try await metadata.deleteVideo(id)
            return try .json(Outcome(status: "deleted"))
        }
    }

    private func addStopRoutes(to router: inout Router) {
        router.video(.get, "/videos/{hash}/stopped", "Whether a video's transcoding is stopped", id: "hash") {
            [metadata] id in
            try .json(Stopped(stopped: try await metadata.video(id).isStopped))
        }
        router.video(.put, "/videos/{hash}/stop", "Transcode nothing more of a video for now", id: "hash") {
            [metadata] id in
            try await metadata.stopJob(id)
            return try .json(Outcome(status: "stopped"))
        }
        router.video(.put, "/videos/{hash}/resume", "Go on with a video's transcoding", id: "hash") { [metadata] id in
            _ = try await metadata.resumeJob(id)
            return try .json(Outcome(status: "resumed"))
        }
    }

    /// `POST /videos`. Thumbnails are made from the video itself, so a name of one says nothing new.
    private struct Entry: Decodable, Sendable {
        let hash: VideoID
        let filename: String?
    }

    private struct Entered: Encodable {
        let id: VideoID
        let hash: String
    }

    private struct Outcome: Encodable { let status: String }

    private struct Stopped: Encodable { let stopped: Bool }
}
