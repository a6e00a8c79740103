import Base
import Placement

/// A video to be entered.
package struct NewVideo: Hashable, Sendable {
    package let id: VideoID
    package let title: String
    package let filename: String?
    package let durationSec: Double
    /// Where its chunks go; fixed for good.
    package let group: PlacementGroup
    /// The proposer that owns ballot 0 of its chunks.
    package let creator: UInt64
    package let createdAt: Timestamp

    package init(
        id: VideoID, title: String, filename: String?, durationSec: Double, group: PlacementGroup, creator: UInt64,
        createdAt: Timestamp
    ) {
        self.id = id
        self.title = title
        self.filename = filename
        self.durationSec = durationSec
        self.group = group
        self.creator = creator
        self.createdAt = createdAt
    }
}

/// A video that is there.
package struct Video: Hashable, Sendable {
    package enum Status: String, Sendable, CaseIterable {
        /// Can become `active` or `failed`.
        case uploading
        /// Can become `failed`.
        case active
        /// Final, but for deletion.
        case failed

        /// Whether this status may follow; staying as it is always may.
        package func canBecome(_ next: Status) -> Bool {
            switch (self, next) {
            case (.uploading, _), (.active, .failed): true
            default: self == next
            }
        }
    }

    package let id: VideoID
    package let title: String
    package let filename: String?
    package let durationSec: Double
    package let status: Status
    /// Why a failed video failed.
    package let error: String?
    /// Id of its placement group.
    package let group: String
    package let creator: UInt64
    package let createdAt: Timestamp
    package let viewCount: Int
    /// Chunks of the stream ``ChunkStream/source``.
    package let totalChunks: Int
    /// The original's size once it is published, the source stream's until then.
    package let sizeBytes: Int
    package let hasThumbnail: Bool
    /// The original's; nil until it is published.
    package let picture: Picture?
    /// Whether nothing more is to be transcoded for now.
    package let isStopped: Bool

    package struct Picture: Hashable, Sendable {
        package let width: Int
        package let height: Int
        package let qualityLabel: String

        package init(width: Int, height: Int, qualityLabel: String) {
            self.width = width
            self.height = height
            self.qualityLabel = qualityLabel
        }
    }

    package init(
        id: VideoID, title: String, filename: String?, durationSec: Double, status: Status, error: String?,
        group: String, creator: UInt64, createdAt: Timestamp, viewCount: Int, totalChunks: Int, sizeBytes: Int,
        hasThumbnail: Bool, picture: Picture? = nil, isStopped: Bool = false
    ) {
        self.id = id
        self.title = title
        self.filename = filename
        self.durationSec = durationSec
        self.status = status
        self.error = error
        self.group = group
        self.creator = creator
        self.createdAt = createdAt
        self.viewCount = viewCount
        self.totalChunks = totalChunks
        self.sizeBytes = sizeBytes
        self.hasThumbnail = hasThumbnail
        self.picture = picture
        self.isStopped = isStopped
    }
}

/// A video and what belongs to it.
package struct VideoContents: Hashable, Sendable {
    package let video: Video
    package let original: Original?
    package let renditions: [Rendition]
    /// The best first.
    package let ladder: [LadderRendition]
    /// In order of stream name, then sequence.
    package let chunks: [Chunk]

    package init(
        video: Video, original: Original?, renditions: [Rendition], ladder: [LadderRendition] = [], chunks: [Chunk]
    ) {
        self.video = video
        self.original = original
        self.renditions = renditions
        self.ladder = ladder
        self.chunks = chunks
    }
}

package struct CatalogStatistics: Hashable, Sendable {
    package let videos: Int
    package let chunks: Int
    package let replicas: Int

    package init(videos: Int, chunks: Int, replicas: Int) {
        self.videos = videos
        self.chunks = chunks
        self.replicas = replicas
    }
}
