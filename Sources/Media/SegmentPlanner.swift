/// A run of a rendition's bytes that a player fetches as one: whole fragments, the first beginning with a keyframe.
package struct MediaSegment: Sendable, Hashable {
    package var offsetBytes: Int
    package var sizeBytes: Int
    package var startSeconds: Double
    package var durationSeconds: Double

    package init(offsetBytes: Int, sizeBytes: Int, startSeconds: Double, durationSeconds: Double) {
        self.offsetBytes = offsetBytes
        self.sizeBytes = sizeBytes
        self.startSeconds = startSeconds
        self.durationSeconds = durationSeconds
    }
}

/// Fragments into segments of about the wanted length, for playlists.
///
/// Invariants: segments follow each other without a gap, in bytes and in time, from the end of the initialization
/// segment on. It keeps a few words a segment, never bytes.
package struct SegmentPlanner: Sendable {
    /// What DESIGN and Apple's authoring guide ask for.
    package static let secondsTargetDefault = 6.0

    private let secondsTarget: Double
    private var open: MediaSegment?
    private var closed: [MediaSegment] = []
    private var offsetBytes = 0

    package private(set) var initializationBytes = 0
    /// Pictures so far.
    package private(set) var frameCount = 0

    package init(secondsTarget: Double = Self.secondsTargetDefault) { self.secondsTarget = secondsTarget }

    package mutating func begin(_ segment: InitializationSegment) {
        initializationBytes = segment.bytes.count
        offsetBytes = segment.bytes.count
    }

    package mutating func add(_ fragment: Fragment) {
        let end = max(durationSeconds, fragment.startSeconds + fragment.durationSeconds)
        var segment = open ?? MediaSegment(offsetBytes: offsetBytes, sizeBytes: 0, startSeconds: 0, durationSeconds: 0)
        // A new one where a keyframe allows it and the wanted length is nearer without the fragment than with it.
        if open != nil, fragment.startsWithKeyframe,
            segment.durationSeconds + (end - durationSeconds) / 2 > secondsTarget
        {
            closed.append(segment)
            segment = MediaSegment(
                offsetBytes: offsetBytes, sizeBytes: 0, startSeconds: durationSeconds, durationSeconds: 0)
        }
        segment.sizeBytes += fragment.bytes.count
        segment.durationSeconds = end - segment.startSeconds
        open = segment
        offsetBytes += fragment.bytes.count
        frameCount += fragment.frameCount
    }

    /// Where the fragments so far end.
    package var durationSeconds: Double {
        guard let last = open ?? closed.last else { return 0 }
        return last.startSeconds + last.durationSeconds
    }

    /// All segments, the one under way included.
    package var segments: [MediaSegment] { closed + (open.map { [$0] } ?? []) }

    /// Bytes of the stream so far.
    package var sizeBytes: Int { offsetBytes }

    /// Bits per second of the heaviest segment (`BANDWIDTH` of RFC 8216 §4.3.4.2).
    package var peakBitsPerSecond: Int { segments.map(Self.rate).max() ?? 0 }

    /// Bits per second over all segments (`AVERAGE-BANDWIDTH`).
    package var averageBitsPerSecond: Int {
        Self.rate(
            MediaSegment(
                offsetBytes: 0, sizeBytes: offsetBytes - initializationBytes, startSeconds: 0,
                durationSeconds: durationSeconds))
    }

    private static func rate(_ segment: MediaSegment) -> Int {
        // A last segment of a few frames would claim a rate that no player meets; a tenth of a second bounds it.
        Int((Double(segment.sizeBytes) * 8 / max(0.1, segment.durationSeconds)).rounded(.up))
    }
}
