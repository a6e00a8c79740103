import Base
import Jobs
import Library
import MetadataAPI

/// `GET /admin/videos/{id}/status`: all that is known of a video.
struct VideoStatusReport: Encodable, Sendable {
    struct File: Encodable, Sendable {
        let name: String
        let sizeBytes: Int
    }

    struct Files: Encodable, Sendable {
        /// What was uploaded; empty until it is published.
        let originals: [File]
        /// What can be played, by label.
        let hls: [String]
    }

    let videoId: VideoID
    let metadata: LibraryVideo
    /// nil where there is nothing to transcode.
    let transcoding: JobMessage?
    let files: Files

    init(_ layout: VideoLayout, _ job: JobMessage?) {
        videoId = layout.video.videoId
        metadata = LibraryVideo(layout.video)
        transcoding = job
        files = Files(
            originals: layout.original.map { [File(name: $0.filename, sizeBytes: $0.sizeBytes)] } ?? [],
            hls: layout.renditions.map(\.stream.description)
                + layout.ladder.filter(\.isComplete).map(\.label.description))
    }
}
