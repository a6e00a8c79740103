import Base
import MetadataAPI

/// A video as the video backend's list shows it. Its `hash` and its `id` are the same UUID in two forms.
package struct LibraryVideo: Codable, Sendable {
    package let id: VideoID
    package let hash: String
    package let filename: String
    package let title: String
    /// Below `/stream/{id}/`; nil before there is one.
    package let thumbnailFilename: String?
    package let originalResolution: String?
    package let originalQualityLabel: String?
    package let stopped: Bool
    package let status: VideoStatus
    package let durationSec: Double
    package let sizeBytes: Int
    package let createdAt: Timestamp

    package init(_ video: VideoSummary) {
        id = video.videoId
        hash = video.videoId.compact
        filename = video.filename ?? video.title
        title = video.title
        thumbnailFilename = video.hasThumbnail ? "thumbnail.jpg" : nil
        originalResolution = video.originalResolution
        originalQualityLabel = video.originalQualityLabel
        stopped = video.isStopped
        status = video.status
        durationSec = video.durationSec
        sizeBytes = video.sizeBytes
        createdAt = video.createdAt
    }
}

/// `GET /videos`
package struct LibraryListing: Codable, Sendable {
    package let videos: [LibraryVideo]

    package init(_ videos: [VideoSummary]) { self.videos = videos.map(LibraryVideo.init) }
}
