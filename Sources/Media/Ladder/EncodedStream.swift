/// A segment of a stream that was made: whole fragments, the first beginning with a keyframe.
package struct EncodedSegment: Codable, Hashable, Sendable {
    /// From the stream's first segment; the initialization segment is not counted.
    package let offsetBytes: Int
    package let sizeBytes: Int
    /// On the video's one timeline, in units of the stream's timescale: the presentation of its first picture, to that
    /// of the next segment's first.
    package let startTicks: Int64
    package let durationTicks: Int64
    /// Pictures, or packets of sound.
    package let sampleCount: Int

    package init(offsetBytes: Int, sizeBytes: Int, startTicks: Int64, durationTicks: Int64, sampleCount: Int) {
        self.offsetBytes = offsetBytes
        self.sizeBytes = sizeBytes
        self.startTicks = startTicks
        self.durationTicks = durationTicks
        self.sampleCount = sampleCount
    }

    /// Not later than the end of time: entries come from other machines.
    package var endTicks: Int64 {
        let (end, isOverflow) = startTicks.addingReportingOverflow(durationTicks)
        return isOverflow ? .max : end
    }
}

/// CMAF segments of one rung or of the sound, lying in a file of the scratch folder.
package struct EncodedStream: Sendable, Hashable {
    /// `480p`, or `audio`.
    package let label: String
    /// The same for all parts of a rendition.
    package let initialization: [UInt8]
    /// RFC 6381.
    package let codec: String
    /// As coded; zero for sound.
    package let width: Int
    package let height: Int
    /// Ticks in a second.
    package let timescale: Int
    /// In order; none when no picture is shown in the part.
    package let segments: [EncodedSegment]
    /// A file that holds the initialization segment and after it the segments.
    package let path: String

    package var sizeBytes: Int { segments.reduce(0) { $0 + $1.sizeBytes } }
    package var sampleCount: Int { segments.reduce(0) { $0 + $1.sampleCount } }

    package func seconds(_ ticks: Int64) -> Double { Double(ticks) / Double(timescale) }
}
