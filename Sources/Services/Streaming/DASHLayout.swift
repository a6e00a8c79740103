import Media
import MetadataAPI

/// What a DASH manifest offers of a video.
struct DASHLayout {
    /// Renditions that a player may change between.
    struct AdaptationSet {
        let content: DASHManifest.AdaptationSet.Content
        let renditions: [PlayableRendition]
    }

    let sets: [AdaptationSet]

    /// The ladder with its sound apart, as soon as a rung is whole; until then what the video was published with, whose
    /// picture and sound are one. Never both: a player would hear two sounds.
    ///
    /// Only what is complete is offered, so a manifest is never a live one: a player would begin such a one at its end,
    /// though all of the video is there to be played.
    init(_ layout: VideoLayout) {
        let offered = layout.offered
        let rungs = offered.filter(\.isOfLadder)
        guard rungs.isEmpty else {
            sets =
                [AdaptationSet(content: .video, renditions: rungs)]
                + (layout.sound.map { [AdaptationSet(content: .audio, renditions: [$0])] } ?? [])
            return
        }
        sets = offered.map { AdaptationSet(content: $0.content, renditions: [$0]) }
    }
}

extension PlayableRendition {
    var content: DASHManifest.AdaptationSet.Content {
        if codecs.contains(",") { return .multiplexed }
        return isSound || width == 0 ? .audio : .video
    }

    /// - Parameter track: the one whose time the segments keep.
    func representation(_ track: InitializationSegment.Track) -> DASHManifest.Representation {
        DASHManifest.Representation(
            id: label, bandwidth: bandwidth, width: width, height: height, codecs: codecs, frameRate: frameRate,
            channels: track.kind == .audio && track.channels > 0 ? track.channels : nil,
            initializationURI: "\(label)/\(StreamAssets.initialization)",
            mediaTemplate: "\(label)/\(StreamAssets.segmentTemplate)",
            timeline: DASHManifest.Timeline(
                timescale: Int(track.timescale), segments: segments.map { ($0.startSec, $0.durationSec) }))
    }
}
