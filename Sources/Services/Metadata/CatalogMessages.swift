import Base
import Catalog
import Jobs
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
            sizeBytes: video.sizeBytes, error: video.error, hasThumbnail: video.hasThumbnail, filename: video.filename,
            originalResolution: video.picture.map { "\($0.width)x\($0.height)" },
            originalQualityLabel: video.picture?.qualityLabel, isStopped: video.isStopped)
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
            segments: rendition.segments.map(SegmentMessage.init))
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
        let ladder = request.ladder ?? []
        guard (0...MetadataService.durationSecMax).contains(request.durationSec), original.sizeBytes > 0,
            original.width >= 0, original.height >= 0,
            renditions.allSatisfy(\.isPlausible), ladder.allSatisfy(\.isPlausible)
        else { throw Failure(.invalidArgument, "a size, a place or a time is negative or too large to be true") }
        self.init(
            durationSec: request.durationSec,
            original: Original(
                filename: original.filename, contentType: original.contentType, sizeBytes: original.sizeBytes,
                checksum: original.checksum, width: original.width, height: original.height,
                qualityLabel: original.qualityLabel),
            renditions: renditions.map(Rendition.init), ladder: ladder.map(LadderRendition.init),
            originalFollows: request.originalFollows ?? false)
    }
}

extension LadderRenditionMessage {
    init(_ rendition: LadderRendition) {
        let rung = rendition.rung
        self.init(
            label: rung.label, kind: rung.kind, width: rung.width, height: rung.height, frameRate: rung.frameRate,
            codecs: rendition.codecs, initialization: rendition.initialization, partCount: rendition.partCount,
            parts: rendition.parts.map { part in
                RenditionPartMessage(
                    number: part.number, stream: part.stream, initializationBytes: part.initializationBytes,
                    frameCount: part.frameCount, segments: part.segments.map(SegmentMessage.init))
            })
    }

    fileprivate var isPlausible: Bool {
        width >= 0 && height >= 0 && (parts.count...Int(Int32.max)).contains(partCount)
            && Set(parts.map(\.number)).count == parts.count
            && parts.allSatisfy { part in
                (0..<partCount).contains(part.number) && part.frameCount >= 0 && part.initializationBytes >= 0
                    && part.segments.allSatisfy(\.isPlausible)
            }
    }
}

extension LadderRendition {
    fileprivate init(_ message: LadderRenditionMessage) {
        self.init(
            rung: JobPlan.Rung(
                label: message.label, kind: message.kind, width: message.width, height: message.height,
                frameRate: message.frameRate),
            codecs: message.codecs, initialization: message.initialization, partCount: message.partCount,
            parts: message.parts.sorted { $0.number < $1.number }.map { part in
                RenditionPart(
                    number: part.number, stream: part.stream, initializationBytes: part.initializationBytes,
                    frameCount: part.frameCount, segments: part.segments.map(Segment.init))
            })
    }
}

extension SegmentMessage {
    init(_ segment: Segment) {
        self.init(
            offsetBytes: segment.offsetBytes, sizeBytes: segment.sizeBytes, startSec: segment.startSec,
            durationSec: segment.durationSec)
    }

    fileprivate var isPlausible: Bool {
        let sizes = 0...(Int.max / 4)
        let seconds = 0...MetadataService.durationSecMax
        return sizes.contains(offsetBytes) && sizes.contains(sizeBytes) && seconds.contains(startSec)
            && seconds.contains(durationSec)
    }
}

extension Segment {
    fileprivate init(_ message: SegmentMessage) {
        self.init(
            offsetBytes: message.offsetBytes, sizeBytes: message.sizeBytes, startSec: message.startSec,
            durationSec: message.durationSec)
    }
}

extension RenditionMessage {
    /// Sums of what passes stay within `Int`.
    fileprivate var isPlausible: Bool {
        width >= 0 && height >= 0 && bandwidth >= 0 && averageBandwidth >= 0
            && (0...(Int.max / 4)).contains(initializationBytes) && segments.allSatisfy(\.isPlausible)
    }
}

extension Rendition {
    fileprivate init(_ message: RenditionMessage) {
        self.init(
            stream: message.stream, width: message.width, height: message.height, codecs: message.codecs,
            frameRate: message.frameRate, bandwidth: message.bandwidth, averageBandwidth: message.averageBandwidth,
            initializationBytes: message.initializationBytes,
            segments: message.segments.map(Segment.init))
    }
}
