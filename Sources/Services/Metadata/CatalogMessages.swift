import Base
import Catalog
import MetadataAPI

// How the catalog's types and the messages become each other.

extension VideoStatus {
    init(_ status: Video.Status) {
        switch status {
        case .uploading: self = .uploading
        case .active: self = .active
        case .failed: self = .failed
        }
    }
}

extension VideoSummary {
    init(_ video: Video) {
        self.init(
            videoId: video.id, title: video.title, durationSec: video.durationSec, totalChunks: video.totalChunks,
            status: VideoStatus(video.status), createdAt: video.createdAt, viewCount: video.viewCount,
            sizeBytes: video.sizeBytes, error: video.error, hasThumbnail: video.hasThumbnail)
    }
}

extension OriginalMessage {
    init(_ original: Original) {
        self.init(
            filename: original.filename, contentType: original.contentType, sizeBytes: original.sizeBytes,
            checksum: original.checksum, width: original.width, height: original.height,
            qualityLabel: original.qualityLabel)
    }
}

extension RenditionMessage {
    init(_ rendition: Rendition) {
        self.init(
            stream: rendition.stream, width: rendition.width, height: rendition.height, codecs: rendition.codecs,
            frameRate: rendition.frameRate, bandwidth: rendition.bandwidth,
            averageBandwidth: rendition.averageBandwidth, initializationBytes: rendition.initializationBytes,
            segments: rendition.segments.map {
                SegmentMessage(
                    offsetBytes: $0.offsetBytes, sizeBytes: $0.sizeBytes, startSec: $0.startSec,
                    durationSec: $0.durationSec)
            })
    }
}

extension Publication {
    /// - Throws: ``Failure`` (400) when a size, a place or a time is negative, or a stream comes twice.
    init(_ request: PublishRequest) throws(Failure) {
        let renditions = request.renditions
        guard Set(renditions.map(\.stream)).count == renditions.count else {
            throw Failure(.invalidArgument, "'renditions' names a stream twice")
        }
        let original = request.original
        guard (0...MetadataService.durationSecMax).contains(request.durationSec), original.sizeBytes > 0,
            original.width >= 0, original.height >= 0,
            renditions.allSatisfy(\.isPlausible)
        else { throw Failure(.invalidArgument, "a size, a place or a time is negative or too large to be true") }
        self.init(
            durationSec: request.durationSec,
            original: Original(
                filename: original.filename, contentType: original.contentType, sizeBytes: original.sizeBytes,
                checksum: original.checksum, width: original.width, height: original.height,
                qualityLabel: original.qualityLabel),
            renditions: renditions.map(Rendition.init))
    }
}

extension RenditionMessage {
    /// Sums of what passes stay within `Int`.
    fileprivate var isPlausible: Bool {
        let sizes = 0...(Int.max / 4)
        let seconds = 0...MetadataService.durationSecMax
        return width >= 0 && height >= 0 && bandwidth >= 0 && averageBandwidth >= 0
            && sizes.contains(initializationBytes)
            && segments.allSatisfy {
                sizes.contains($0.offsetBytes) && sizes.contains($0.sizeBytes) && seconds.contains($0.startSec)
                    && seconds.contains($0.durationSec)
            }
    }
}

extension Rendition {
    fileprivate init(_ message: RenditionMessage) {
        self.init(
            stream: message.stream, width: message.width, height: message.height, codecs: message.codecs,
            frameRate: message.frameRate, bandwidth: message.bandwidth, averageBandwidth: message.averageBandwidth,
            initializationBytes: message.initializationBytes,
            segments: message.segments.map {
                Segment(
                    offsetBytes: $0.offsetBytes, sizeBytes: $0.sizeBytes, startSec: $0.startSec,
                    durationSec: $0.durationSec)
            })
    }
}
