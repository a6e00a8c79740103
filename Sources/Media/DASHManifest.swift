import Foundation

/// DASH manifests (ISO/IEC 23009-1) over CMAF segments, those that HLS playlists name.
///
/// They are static: everything that a manifest names is there when it is written, and no player needs to watch the
/// clock for what it may ask for.
package enum DASHManifest {
    /// When segments are shown, in ticks of a timescale.
    package struct Timeline: Sendable, Equatable {
        /// Segments of one length that follow each other.
        struct Run: Sendable, Equatable {
            let start: Int
            let duration: Int
            var count: Int

            var end: Int { start + duration * count }
        }

        /// Whole numbers up to here are exact, and sums of a few do not overflow.
        private static let tickMax = 0x1p53

        let timescale: Int
        private(set) var runs: [Run] = []

        /// - Parameters:
        ///   - timescale: of the track, or times are no whole ticks.
        ///   - segments: in order. A segment lasts until the next one begins: players take a gap of a tick for a fault.
        package init(timescale: Int, segments: [(startSec: Double, durationSec: Double)]) {
            self.timescale = timescale
            func ticks(_ seconds: Double) -> Int {
                let ticks = (seconds * Double(timescale)).rounded()
                return ticks.isFinite ? Int(min(max(0, ticks), Self.tickMax)) : 0
            }
            for (index, segment) in segments.enumerated() {
                let start = ticks(segment.startSec)
                let next = index + 1 < segments.count ? ticks(segments[index + 1].startSec) : nil
                append(start: start, duration: max(1, next.map { $0 - start } ?? ticks(segment.durationSec)))
            }
        }

        private mutating func append(start: Int, duration: Int) {
            if let last = runs.last, last.end == start, last.duration == duration {
                runs[runs.count - 1].count += 1
            } else {
                runs.append(Run(start: start, duration: duration, count: 1))
            }
        }

        var endSec: Double { Double(runs.last?.end ?? 0) / Double(timescale) }
        var segmentSecMax: Double { Double(runs.map(\.duration).max() ?? 0) / Double(timescale) }
    }

    package struct Representation: Sendable, Equatable {
        package let id: String
        /// Peak bits per second over segments.
        package let bandwidth: Int
        /// In pixels; zero when there is no picture.
        package let width: Int
        package let height: Int
        /// RFC 6381, such as `avc1.640028`.
        package let codecs: String
        package let frameRate: Double?
        /// Of sound; nil where it is not known.
        package let channels: Int?
        /// Relative to the manifest.
        package let initializationURI: String
        /// Relative to the manifest, with `$Number%05d$` in place of the segment's index.
        package let mediaTemplate: String
        package let timeline: Timeline

        package init(
            id: String, bandwidth: Int, width: Int, height: Int, codecs: String, frameRate: Double?,
            channels: Int? = nil, initializationURI: String, mediaTemplate: String, timeline: Timeline
        ) {
            self.id = id
            self.bandwidth = bandwidth
            self.width = width
            self.height = height
            self.codecs = codecs
            self.frameRate = frameRate
            self.channels = channels
            self.initializationURI = initializationURI
            self.mediaTemplate = mediaTemplate
            self.timeline = timeline
        }
    }

    /// Representations that a player may change between.
    package struct AdaptationSet: Sendable, Equatable {
        package enum Content: Sendable, Equatable {
            case video, audio
            /// Picture and sound in the same segments.
            case multiplexed
        }

        package let content: Content
        /// Whether every segment can be decoded without the one before.
        package let isIndependent: Bool
        package let representations: [Representation]

        package init(content: Content, isIndependent: Bool, representations: [Representation]) {
            self.content = content
            self.isIndependent = isIndependent
            self.representations = representations
        }
    }

    package static func text(of sets: [AdaptationSet]) -> String {
        let timelines = sets.flatMap(\.representations).map(\.timeline)
        let longest = timelines.map(\.segmentSecMax).max() ?? 0
        var xml = XMLWriter()
        xml.element(
            "MPD",
            [
                ("xmlns", "urn:mpeg:dash:schema:mpd:2011"), ("profiles", "urn:mpeg:dash:profile:isoff-live:2011"),
                ("type", "static"), ("mediaPresentationDuration", duration(timelines.map(\.endSec).max() ?? 0)),
                // At the peak rate a segment takes as long to come as it plays.
                ("minBufferTime", duration(longest)), ("maxSegmentDuration", duration(longest)),
            ]
        ) { xml in
            xml.element("Period", [("id", "0"), ("start", "PT0S")]) { xml in
                for (index, set) in sets.enumerated() { write(set, id: index, &xml) }
            }
        }
        return xml.text
    }

    private static func write(_ set: AdaptationSet, id: Int, _ xml: inout XMLWriter) {
        let contentType: String? =
            switch set.content {
            case .video: "video"
            case .audio: "audio"
            case .multiplexed: nil
            }
        xml.element(
            "AdaptationSet",
            [
                ("id", String(id)), ("contentType", contentType),
                ("mimeType", set.content == .audio ? "audio/mp4" : "video/mp4"), ("segmentAlignment", "true"),
                ("startWithSAP", set.isIndependent ? "1" : nil),
            ]
        ) { xml in
            if set.content == .multiplexed {
                for type in ["video", "audio"] { xml.element("ContentComponent", [("contentType", type)]) }
            }
            for representation in set.representations { write(representation, &xml) }
        }
    }

    private static func write(_ representation: Representation, _ xml: inout XMLWriter) {
        let hasPicture = representation.width > 0 && representation.height > 0
        xml.element(
            "Representation",
            [
                ("id", representation.id), ("codecs", representation.codecs.isEmpty ? nil : representation.codecs),
                ("bandwidth", String(representation.bandwidth)),
                ("width", hasPicture ? String(representation.width) : nil),
                ("height", hasPicture ? String(representation.height) : nil),
                ("frameRate", representation.frameRate.flatMap(fraction)),
            ]
        ) { xml in
            if let channels = representation.channels {
                xml.element(
                    "AudioChannelConfiguration",
                    [
                        ("schemeIdUri", "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"),
                        ("value", String(channels)),
                    ])
            }
            writeSegments(of: representation, &xml)
        }
    }

    private static func writeSegments(of representation: Representation, _ xml: inout XMLWriter) {
        xml.element(
            "SegmentTemplate",
            [
                ("timescale", String(representation.timeline.timescale)), ("startNumber", "0"),
                ("initialization", representation.initializationURI), ("media", representation.mediaTemplate),
            ]
        ) { xml in
            xml.element("SegmentTimeline", []) { xml in
                var end: Int?
                for run in representation.timeline.runs {
                    // Where it follows the run before, the time goes without saying.
                    xml.element(
                        "S",
                        [
                            ("t", run.start == end ? nil : String(run.start)), ("d", String(run.duration)),
                            ("r", run.count > 1 ? String(run.count - 1) : nil),
                        ])
                    end = run.end
                }
            }
        }
    }

    private static func duration(_ seconds: Double) -> String { "PT" + String(format: "%.3f", seconds) + "S" }

    /// Frames a second as DASH wants them, `25` or `30000/1001`; nil for what is none.
    private static func fraction(_ rate: Double) -> String? {
        guard rate.isFinite, rate > 0, rate < 10_000 else { return nil }
        let whole = rate.rounded()
        if abs(rate - whole) < 0.0005 { return String(Int(whole)) }
        let television = (rate * 1.001).rounded()
        if abs(rate - television / 1.001) < 0.0005 { return "\(Int(television) * 1000)/1001" }
        return "\(Int((rate * 1000).rounded()))/1000"
    }
}

/// Elements with attributes, two spaces a level.
private struct XMLWriter {
    private(set) var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    private var depth = 0

    /// - Parameter attributes: those without a value are left out.
    mutating func element(
        _ name: String, _ attributes: [(name: String, value: String?)], _ content: ((inout XMLWriter) -> Void)? = nil
    ) {
        let indent = String(repeating: "  ", count: depth)
        text += "\(indent)<\(name)"
        for (name, value) in attributes { if let value { text += " \(name)=\"\(Self.escaped(value))\"" } }
        guard let content else {
            text += "/>\n"
            return
        }
        text += ">\n"
        depth += 1
        content(&self)
        depth -= 1
        text += "\(indent)</\(name)>\n"
    }

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case "\"": result += "&quot;"
            default: result.append(character)
            }
        }
    }
}
