/// A piece of the encode that one machine does by itself: some rungs of one part of the timeline.
///
/// Parts begin where a segment of the rungs does, at a whole multiple of ``WorkUnitPlan/segmentSeconds``; what to read
/// of the source is a little more than the part, so that every picture of it can be decoded.
package struct WorkUnit: Codable, Hashable, Sendable {
    /// Place of the part on the timeline, from 0. Several units may be of one part, each with other labels.
    package let part: Int
    /// Pictures shown from here on …
    package let startSeconds: Int
    /// … and before here; nil for all to the end.
    package let endSeconds: Int?
    /// Rungs that it makes, highest first.
    package let labels: [String]
    /// Segments of the source rendition to read after its initialization segment: from …
    package let sourceSegmentFirst: Int
    /// … to the one before this.
    package let sourceSegmentEnd: Int

    /// Nothing is longer; units come from other machines.
    private static let secondsMax = 1 << 30

    package init(
        part: Int, startSeconds: Int, endSeconds: Int?, labels: [String], sourceSegmentFirst: Int, sourceSegmentEnd: Int
    ) {
        self.part = part
        self.startSeconds = startSeconds
        self.endSeconds = endSeconds
        self.labels = labels
        self.sourceSegmentFirst = sourceSegmentFirst
        self.sourceSegmentEnd = sourceSegmentEnd
    }

    /// Presentation times that belong to it.
    func range(timescale: UInt32) -> Range<Int64> {
        func ticks(_ seconds: Int) -> Int64 { Int64(min(max(0, seconds), Self.secondsMax)) * Int64(timescale) }
        let start = ticks(startSeconds)
        return start..<max(start, endSeconds.map(ticks) ?? .max)
    }

    package var sourceSegments: Range<Int> { sourceSegmentFirst..<max(sourceSegmentFirst, sourceSegmentEnd) }
}

/// A segment of the source rendition, as far as planning needs it. It begins with a keyframe.
package struct SourceSegment: Hashable, Sendable {
    package let startSeconds: Double
    package let durationSeconds: Double

    package init(startSeconds: Double, durationSeconds: Double) {
        self.startSeconds = startSeconds
        self.durationSeconds = durationSeconds
    }

    var endSeconds: Double { startSeconds + durationSeconds }
}
