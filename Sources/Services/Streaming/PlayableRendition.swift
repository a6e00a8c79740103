import Base
import HTTPTypes
import Jobs
import Media
import MetadataAPI

/// A rendition as a player sees it, whether it is one stream or was made in parts.
struct PlayableRendition: Sendable {
    /// Bytes of one of the video's streams.
    struct Place: Sendable {
        let stream: ChunkStream
        let offsetBytes: Int
        let sizeBytes: Int
    }

    struct Segment: Sendable {
        let place: Place
        let startSec: Double
        let durationSec: Double
    }

    let label: String
    let isSound: Bool
    let width: Int
    let height: Int
    let codecs: String
    let frameRate: Double?
    /// Peak and average bits per second over segments.
    let bandwidth: Int
    let averageBandwidth: Int
    let initialization: Place
    /// Says what the initialization segment's bytes are, where it lies in several places.
    let initializationDigest: SHA256Digest?
    let segments: [Segment]
    /// Whether no more segments will come.
    let isComplete: Bool
    /// Whether it has parts, and so sound apart from the picture.
    let isOfLadder: Bool

    init(_ rendition: RenditionMessage) {
        let stream = rendition.stream
        label = stream.description
        isSound = false
        (width, height) = (rendition.width, rendition.height)
        codecs = rendition.codecs
        frameRate = rendition.frameRate
        (bandwidth, averageBandwidth) = (rendition.bandwidth, rendition.averageBandwidth)
        initialization = Place(stream: stream, offsetBytes: 0, sizeBytes: rendition.initializationBytes)
        initializationDigest = nil
        segments = rendition.segments.map { Segment($0, of: stream) }
        isComplete = true
        isOfLadder = false
    }

    /// - Returns: nil while there is nothing to play.
    init?(_ rendition: LadderRenditionMessage) {
        let parts = rendition.playableParts
        guard let first = parts.first else { return nil }
        label = rendition.label.description
        isSound = rendition.kind == .audio
        (width, height) = (rendition.width, rendition.height)
        codecs = rendition.codecs
        frameRate = rendition.frameRate
        initialization = Place(stream: first.stream, offsetBytes: 0, sizeBytes: first.initializationBytes)
        initializationDigest = rendition.initialization
        segments = parts.flatMap { part in part.segments.map { Segment($0, of: part.stream) } }
        (bandwidth, averageBandwidth) = Self.rates(segments)
        isComplete = rendition.isComplete
        isOfLadder = true
    }

    /// A segment that is much shorter than the others, such as the last one, says nothing of the peak.
    private static func rates(_ segments: [Segment]) -> (peak: Int, average: Int) {
        let longest = segments.map(\.durationSec).max() ?? 0
        let rates = segments.filter { $0.durationSec >= longest / 2 && $0.durationSec > 0 }.map {
            Double($0.place.sizeBytes * 8) / $0.durationSec
        }
        let seconds = segments.reduce(0) { $0 + $1.durationSec }
        let bytes = segments.reduce(0) { $0 + $1.place.sizeBytes }
        let average = seconds > 0 ? Double(bytes * 8) / seconds : 0
        return (Int(max(rates.max() ?? 0, average).rounded(.up)), Int(average.rounded(.up)))
    }

    var mediaPlaylist: String {
        HLSPlaylist.media(
            initializationURI: StreamAssets.initialization,
            segments: segments.enumerated().map { index, segment in
                HLSPlaylist.Segment(uri: StreamAssets.segment(index), durationSec: segment.durationSec)
            },
            // What a playlist that grows says of its longest segment may not change.
            targetDurationSecMin: isOfLadder ? WorkUnitPlan.segmentSeconds : 1, isComplete: isComplete)
    }
}

extension PlayableRendition.Segment {
    fileprivate init(_ segment: SegmentMessage, of stream: ChunkStream) {
        self.init(
            place: PlayableRendition.Place(
                stream: stream, offsetBytes: segment.offsetBytes, sizeBytes: segment.sizeBytes),
            startSec: segment.startSec, durationSec: segment.durationSec)
    }
}

extension VideoLayout {
    /// Everything of which something can be played: what the video was published with, then the ladder, the best first.
    var playable: [PlayableRendition] {
        renditions.map { PlayableRendition($0) } + ladder.compactMap { PlayableRendition($0) }
    }

    /// The sound that goes with the ladder's pictures; nil where there is none, or not yet.
    var sound: PlayableRendition? { playable.first { $0.isSound && $0.isComplete } }

    /// What a player may choose from: complete, and with its sound. What grows would end before the others do.
    var offered: [PlayableRendition] {
        let isSoundMissing = ladder.contains { $0.kind == .audio } && sound == nil
        return playable.filter { !$0.isSound && $0.isComplete && !($0.isOfLadder && isSoundMissing) }
    }

    /// - Throws: ``Failure`` (404) that lists what there is.
    func rendition(_ quality: String) throws(Failure) -> PlayableRendition {
        let playable = playable
        if let rendition = playable.first(where: { $0.label == quality }) { return rendition }
        if let coming = ladder.first(where: { $0.label.description == quality }) {
            throw Failure(
                .notFound,
                "quality '\(coming.label)' of video \(video.videoId) is not encoded yet; try again in a moment")
        }
        let known = playable.map(\.label).joined(separator: ", ")
        throw Failure(
            .notFound,
            "video \(video.videoId) has no quality '\(quality.prefix(40))'; it has: \(known.isEmpty ? "none" : known)")
    }

    var masterPlaylist: String {
        let sound = sound
        let group = "audio"
        return HLSPlaylist.master(
            variants: offered.map { rendition in
                let sound = rendition.isOfLadder ? sound : nil
                return HLSPlaylist.Variant(
                    uri: "\(rendition.label)/\(StreamAssets.playlist)",
                    bandwidth: rendition.bandwidth + (sound?.bandwidth ?? 0),
                    averageBandwidth: rendition.averageBandwidth + (sound?.averageBandwidth ?? 0),
                    width: rendition.width, height: rendition.height,
                    codecs: ([rendition.codecs] + (sound.map { [$0.codecs] } ?? [])).joined(separator: ","),
                    frameRate: rendition.frameRate, audioGroup: sound == nil ? nil : group)
            },
            sounds: sound.map {
                [HLSPlaylist.Sound(group: group, name: "Original", uri: "\($0.label)/\(StreamAssets.playlist)")]
            } ?? [])
    }
}
