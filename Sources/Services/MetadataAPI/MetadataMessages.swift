import Base
import ChunkPaxos
import HTTPTypes

/// `uploading` can become `active` (published) or `failed`; any can become `deleted`, which is final.
package enum VideoStatus: String, Codable, Sendable, CaseIterable {
    case uploading, active, failed, deleted
}

/// `POST /video`
package struct CreateVideoRequest: Codable, Sendable {
    package let title: String
    package let durationSec: Double?
    package let filename: String?

    package init(title: String, durationSec: Double? = nil, filename: String? = nil) {
        self.title = title
        self.durationSec = durationSec
        self.filename = filename
    }
}

/// `PATCH /video/{video_id}`
package struct UpdateVideoRequest: Codable, Sendable {
    /// nil: it stays what it is.
    package let title: String?
    /// What the original is called; nil: it stays what it is.
    package let filename: String?

    package init(title: String? = nil, filename: String? = nil) {
        self.title = title
        self.filename = filename
    }
}

package struct GroupMember: Codable, Sendable, Hashable {
    package let nodeId: NodeID
    package let nodeUrl: String
    /// Which of the node's acceptors is meant: that of the disk it had when the video was created. nil where that was
    /// not known.
    package let acceptorId: AcceptorID?

    package init(nodeId: NodeID, nodeUrl: String, acceptorId: AcceptorID? = nil) {
        self.nodeId = nodeId
        self.nodeUrl = nodeUrl
        self.acceptorId = acceptorId
    }
}

/// The fixed acceptor set of a video's chunks.
package struct PlacementGroupMessage: Codable, Sendable, Hashable {
    package let id: String
    package let nodes: [GroupMember]

    package init(id: String, nodes: [GroupMember]) {
        self.id = id
        self.nodes = nodes
    }

    /// How many of the nodes make a quorum.
    package var majority: Int { nodes.count / 2 + 1 }

    /// The identities of the nodes, in their order; nil unless all are known.
    package var acceptors: [AcceptorID]? {
        let known = nodes.compactMap(\.acceptorId)
        return known.count == nodes.count ? known : nil
    }
}

package struct CreateVideoResponse: Codable, Sendable {
    package let videoId: VideoID
    package let uploadUrl: String
    package let placementGroup: PlacementGroupMessage
    /// Owns ballot 0 of every chunk of the video: `Ballot(round: 0, proposer:)`, in hex.
    package let ballot: Ballot

    package init(videoId: VideoID, uploadUrl: String, placementGroup: PlacementGroupMessage, ballot: Ballot) {
        self.videoId = videoId
        self.uploadUrl = uploadUrl
        self.placementGroup = placementGroup
        self.ballot = ballot
    }
}

/// A row of `GET /videos`, and the body of `GET /video/{id}`.
package struct VideoSummary: Codable, Sendable {
    package let videoId: VideoID
    package let title: String
    package let durationSec: Double
    package let totalChunks: Int
    package let status: VideoStatus
    package let createdAt: Timestamp
    package let viewCount: Int
    package let sizeBytes: Int
    /// Why a `failed` video failed.
    package let error: String?
    package let hasThumbnail: Bool
    /// What the original is called; nil where nobody said.
    package let filename: String?
    /// Of the original, as it is shown, such as `1920x1080`; nil until it is published.
    package let originalResolution: String?
    package let originalQualityLabel: String?
    /// Whether nothing more is to be transcoded for now.
    package let isStopped: Bool

    package init(
        videoId: VideoID, title: String, durationSec: Double, totalChunks: Int, status: VideoStatus,
        createdAt: Timestamp, viewCount: Int, sizeBytes: Int, error: String?, hasThumbnail: Bool,
        filename: String? = nil, originalResolution: String? = nil, originalQualityLabel: String? = nil,
        isStopped: Bool = false
    ) {
        self.videoId = videoId
        self.title = title
        self.durationSec = durationSec
        self.totalChunks = totalChunks
        self.status = status
        self.createdAt = createdAt
        self.viewCount = viewCount
        self.sizeBytes = sizeBytes
        self.error = error
        self.hasThumbnail = hasThumbnail
        self.filename = filename
        self.originalResolution = originalResolution
        self.originalQualityLabel = originalQualityLabel
        self.isStopped = isStopped
    }
}

/// An entry of a manifest: a chunk and where it can be read.
package struct ManifestChunk: Codable, Sendable, Hashable {
    package let chunkId: ChunkID
    package let sequenceNum: Int
    package let sizeBytes: Int
    package let checksum: SHA256Digest
    package let redundancyMode: RedundancyMode
    /// Base URLs of the nodes that hold it, healthy ones first.
    package let replicas: [String]
    package let startSec: Double
    package let durationSec: Double

    package init(
        chunkId: ChunkID, sequenceNum: Int, sizeBytes: Int, checksum: SHA256Digest, redundancyMode: RedundancyMode,
        replicas: [String], startSec: Double, durationSec: Double
    ) {
        self.chunkId = chunkId
        self.sequenceNum = sequenceNum
        self.sizeBytes = sizeBytes
        self.checksum = checksum
        self.redundancyMode = redundancyMode
        self.replicas = replicas
        self.startSec = startSec
        self.durationSec = durationSec
    }
}

/// `GET /manifest/{video_id}`: the chunks of the source rendition.
package struct Manifest: Codable, Sendable {
    package let videoId: VideoID
    package let title: String
    package let durationSec: Double
    package let totalChunks: Int
    package let chunkDurationSec: Double
    package let chunkSizeBytes: Int
    package let createdAt: Timestamp
    package let status: VideoStatus
    package let chunks: [ManifestChunk]

    package init(
        videoId: VideoID, title: String, durationSec: Double, totalChunks: Int, chunkDurationSec: Double,
        chunkSizeBytes: Int, createdAt: Timestamp, status: VideoStatus, chunks: [ManifestChunk]
    ) {
        self.videoId = videoId
        self.title = title
        self.durationSec = durationSec
        self.totalChunks = totalChunks
        self.chunkDurationSec = chunkDurationSec
        self.chunkSizeBytes = chunkSizeBytes
        self.createdAt = createdAt
        self.status = status
        self.chunks = chunks
    }
}

/// A run of a rendition's bytes that a player fetches as one: whole fragments, the first beginning with a keyframe.
package struct SegmentMessage: Codable, Sendable, Hashable {
    package let offsetBytes: Int
    package let sizeBytes: Int
    package let startSec: Double
    package let durationSec: Double

    package init(offsetBytes: Int, sizeBytes: Int, startSec: Double, durationSec: Double) {
        self.offsetBytes = offsetBytes
        self.sizeBytes = sizeBytes
        self.startSec = startSec
        self.durationSec = durationSec
    }
}

/// A playable form of a video: fragmented MP4 in one chunk stream.
package struct RenditionMessage: Codable, Sendable, Hashable {
    /// Also the name of its chunk stream and its label in URLs.
    package let stream: ChunkStream
    package let width: Int
    package let height: Int
    /// RFC 6381, such as `avc1.640028,mp4a.40.2`.
    package let codecs: String
    package let frameRate: Double?
    /// Peak and average bits per second over segments.
    package let bandwidth: Int
    package let averageBandwidth: Int
    /// Length of the initialization segment at the start of the stream.
    package let initializationBytes: Int
    package let segments: [SegmentMessage]

    package init(
        stream: ChunkStream, width: Int, height: Int, codecs: String, frameRate: Double?, bandwidth: Int,
        averageBandwidth: Int, initializationBytes: Int, segments: [SegmentMessage]
    ) {
        self.stream = stream
        self.width = width
        self.height = height
        self.codecs = codecs
        self.frameRate = frameRate
        self.bandwidth = bandwidth
        self.averageBandwidth = averageBandwidth
        self.initializationBytes = initializationBytes
        self.segments = segments
    }
}

/// The file as it was uploaded.
package struct OriginalMessage: Codable, Sendable, Hashable {
    package let filename: String
    package let contentType: String
    package let sizeBytes: Int
    package let checksum: SHA256Digest
    package let width: Int
    package let height: Int
    /// `1080p` and the like, from the height.
    package let qualityLabel: String

    package init(
        filename: String, contentType: String, sizeBytes: Int, checksum: SHA256Digest, width: Int, height: Int,
        qualityLabel: String
    ) {
        self.filename = filename
        self.contentType = contentType
        self.sizeBytes = sizeBytes
        self.checksum = checksum
        self.width = width
        self.height = height
        self.qualityLabel = qualityLabel
    }
}

/// `POST /video/{video_id}/publish`: everything about a video that its chunks do not say. One transaction makes the
/// video `active`; refused (409) while a chunk of a stream it names is missing.
package struct PublishRequest: Codable, Sendable {
    package let durationSec: Double
    package let original: OriginalMessage
    package let renditions: [RenditionMessage]
    /// What followers have made; only in the journal, never in a request.
    package let ladder: [LadderRenditionMessage]?
    /// The original is not stored yet: the video can be played, and is published again when it is.
    package let originalFollows: Bool?

    package init(
        durationSec: Double, original: OriginalMessage, renditions: [RenditionMessage],
        ladder: [LadderRenditionMessage]? = nil, originalFollows: Bool? = nil
    ) {
        self.originalFollows = originalFollows
        self.durationSec = durationSec
        self.original = original
        self.renditions = renditions
        self.ladder = ladder
    }
}

/// `PATCH /video/{video_id}/status`
package struct StatusRequest: Codable, Sendable {
    package let status: VideoStatus
    /// Why, when `failed`.
    package let error: String?

    package init(status: VideoStatus, error: String? = nil) {
        self.status = status
        self.error = error
    }
}

package struct StreamMessage: Codable, Sendable {
    package let stream: ChunkStream
    package let chunks: [ManifestChunk]

    package init(stream: ChunkStream, chunks: [ManifestChunk]) {
        self.stream = stream
        self.chunks = chunks
    }
}

/// `GET /video/{video_id}/layout`: all a streaming origin needs.
package struct VideoLayout: Codable, Sendable {
    package let video: VideoSummary
    package let original: OriginalMessage?
    package let renditions: [RenditionMessage]
    /// What followers make beside them, the best first.
    package let ladder: [LadderRenditionMessage]
    package let streams: [StreamMessage]

    package init(
        video: VideoSummary, original: OriginalMessage?, renditions: [RenditionMessage],
        ladder: [LadderRenditionMessage] = [], streams: [StreamMessage]
    ) {
        self.video = video
        self.original = original
        self.renditions = renditions
        self.ladder = ladder
        self.streams = streams
    }

    /// Whether all of the uploaded file is stored: a long video can be played before that.
    package var isOriginalStored: Bool {
        guard let original else { return false }
        return chunks(of: .original).reduce(0) { $0 &+ $1.sizeBytes } >= original.sizeBytes
    }

    package func chunks(of stream: ChunkStream) -> [ManifestChunk] {
        streams.first { $0.stream == stream }?.chunks ?? []
    }
}

/// A layout, and what names this state of it.
package struct TaggedLayout: Sendable {
    package let layout: VideoLayout
    package let tag: EntityTag

    package init(layout: VideoLayout, tag: EntityTag) {
        self.layout = layout
        self.tag = tag
    }
}
