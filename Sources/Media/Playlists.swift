import Foundation

/// HLS playlists (RFC 8216 and draft-pantos-hls-rfc8216bis) over CMAF segments.
package enum HLSPlaylist {
    /// A variant stream of the master playlist.
    package struct Variant: Sendable, Equatable {
        /// Of its media playlist, relative to the master playlist.
        package let uri: String
        /// Peak and average bits per second over segments.
        package let bandwidth: Int
        package let averageBandwidth: Int
        /// In pixels; zero when there is no picture.
        package let width: Int
        package let height: Int
        /// RFC 6381, such as `avc1.640028,mp4a.40.2`.
        package let codecs: String
        package let frameRate: Double?
        /// The group of sounds that goes with it; nil when its sound is in it.
        package let audioGroup: String?

        package init(
            uri: String, bandwidth: Int, averageBandwidth: Int, width: Int, height: Int, codecs: String,
            frameRate: Double?, audioGroup: String? = nil
        ) {
            self.uri = uri
            self.bandwidth = bandwidth
            self.averageBandwidth = averageBandwidth
            self.width = width
            self.height = height
            self.codecs = codecs
            self.frameRate = frameRate
            self.audioGroup = audioGroup
        }
    }

    /// A sound that is a rendition of its own.
    package struct Sound: Sendable, Equatable {
        package let group: String
        /// What a player shows to choose by.
        package let name: String
        /// Of its media playlist, relative to the master playlist.
        package let uri: String

        package init(group: String, name: String, uri: String) {
            self.group = group
            self.name = name
            self.uri = uri
        }
    }

    /// A segment of a media playlist.
    package struct Segment: Sendable, Equatable {
        /// Relative to the media playlist.
        package let uri: String
        package let durationSec: Double

        package init(uri: String, durationSec: Double) {
            self.uri = uri
            self.durationSec = durationSec
        }
    }

    /// The master (multivariant) playlist, variants in the order given: a player starts with the first.
    package static func master(variants: [Variant], sounds: [Sound] = []) -> String {
        var lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
        for sound in sounds {
            lines.append(
                "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\(quoted(sound.group)),NAME=\(quoted(sound.name)),DEFAULT=YES,"
                    + "AUTOSELECT=YES,CHANNELS=\"2\",URI=\(quoted(sound.uri))")
        }
        for variant in variants {
            lines.append("#EXT-X-STREAM-INF:" + attributes(of: variant).joined(separator: ","))
            lines.append(variant.uri)
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The media playlist of a rendition.
    /// - Parameters:
    ///   - initializationURI: of the segment with the `moov`, relative to the playlist.
    ///   - targetDurationSecMin: no segment is to be longer, also of those that are still to come.
    ///   - isComplete: false while segments are still added at its end.
    package static func media(
        initializationURI: String, segments: [Segment], targetDurationSecMin: Int = 1, isComplete: Bool = true
    ) -> String {
        let longest = segments.map(\.durationSec).max() ?? 0
        var lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:7",
            "#EXT-X-INDEPENDENT-SEGMENTS",
            "#EXT-X-TARGETDURATION:\(max(targetDurationSecMin, wholeSeconds(longest)))",
            "#EXT-X-MEDIA-SEQUENCE:0",
            "#EXT-X-PLAYLIST-TYPE:\(isComplete ? "VOD" : "EVENT")",
            "#EXT-X-MAP:URI=\(quoted(initializationURI))",
        ]
        for segment in segments {
            lines.append("#EXTINF:\(decimal(segment.durationSec, places: 6)),")
            lines.append(segment.uri)
        }
        if isComplete { lines.append("#EXT-X-ENDLIST") }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func attributes(of variant: Variant) -> [String] {
        var attributes = ["BANDWIDTH=\(variant.bandwidth)", "AVERAGE-BANDWIDTH=\(variant.averageBandwidth)"]
        if variant.width > 0, variant.height > 0 { attributes.append("RESOLUTION=\(variant.width)x\(variant.height)") }
        if !variant.codecs.isEmpty { attributes.append("CODECS=\(quoted(variant.codecs))") }
        if let frameRate = variant.frameRate, frameRate.isFinite, frameRate > 0 {
            attributes.append("FRAME-RATE=\(decimal(frameRate, places: 3))")
        }
        if let group = variant.audioGroup { attributes.append("AUDIO=\(quoted(group))") }
        return attributes
    }

    // A quoted string holds no quote and no line break (RFC 8216 §4.2); none that we make does.
    private static func quoted(_ text: String) -> String {
        "\"" + text.filter { $0 != "\"" && !$0.isNewline } + "\""
    }

    private static func decimal(_ value: Double, places: Int) -> String {
        String(format: "%.\(places)f", value.isFinite ? max(0, value) : 0)
    }

    private static func wholeSeconds(_ value: Double) -> Int { Int(exactly: value.rounded(.up)) ?? 0 }
}
