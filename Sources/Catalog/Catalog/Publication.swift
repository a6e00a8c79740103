import Base

/// What a video has beside its chunks.
package struct Publication: Hashable, Sendable {
    package let durationSec: Double
    package let original: Original
    package let renditions: [Rendition]
    /// What followers have made meanwhile; empty when the video is published.
    package let ladder: [LadderRendition]
    /// Whether the original's chunks may still be missing; the video is published again when they are there.
    package let originalFollows: Bool

    package init(
        durationSec: Double, original: Original, renditions: [Rendition], ladder: [LadderRendition] = [],
        originalFollows: Bool = false
    ) {
        self.originalFollows = originalFollows
        self.durationSec = durationSec
        self.original = original
        self.renditions = renditions
        self.ladder = ladder
    }
}

/// The file as it was uploaded; its bytes are the chunks of the stream ``ChunkStream/original``.
package struct Original: Hashable, Sendable {
    package let filename: String
    package let contentType: String
    package let sizeBytes: Int
    package let checksum: SHA256Digest
    package let width: Int
    package let height: Int
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

/// A playable form of a video: one stream, and how a player takes it apart.
package struct Rendition: Hashable, Sendable {
    package let stream: ChunkStream
    package let width: Int
    package let height: Int
    /// RFC 6381.
    package let codecs: String
    package let frameRate: Double?
    /// Peak and average bits per second.
    package let bandwidth: Int
    package let averageBandwidth: Int
    package let initializationBytes: Int
    package let segments: [Segment]

    package init(
        stream: ChunkStream, width: Int, height: Int, codecs: String, frameRate: Double?, bandwidth: Int,
        averageBandwidth: Int, initializationBytes: Int, segments: [Segment]
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

    /// How long its stream must at least be.
    package var endBytes: Int { segments.map(\.endBytes).max() ?? initializationBytes }
}

/// A byte range of a rendition's stream that a player fetches as one.
package struct Segment: Hashable, Sendable {
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

    package var endBytes: Int { offsetBytes + sizeBytes }
}
