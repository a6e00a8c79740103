/// Encoded pictures into the CMAF segments of a rung. Pure.
///
/// Invariants:
/// - A segment begins with the first picture of a cell of 6 s of the video's timeline, a fragment with a keyframe.
/// - Decode times are the presentation times in ascending order, later only where a picture would otherwise be decoded
///   after it is shown; each group of pictures begins to be decoded at its first picture's presentation time.
///   So parts that were encoded apart join without a gap, for any frame rate.
/// - Pictures at or after `end` are dropped: the first of them tells when the last before it ends.
struct PictureAssembler {
    private struct Group {
        let start: Int64
        var samples: [TimedSample]
    }

    private let trackID: UInt32
    private let timescale: Int64
    /// What each picture waits at most between decoding and showing: the header's edit list takes it back.
    private let delay: Int64
    private let range: Range<Int64>
    private var group: Group?
    private(set) var segments: [EncodedSegment] = []
    /// When the pictures kept are shown, in order.
    private(set) var presentations: [Int64] = []
    private var sequence: UInt32 = 0
    private var offsetBytes = 0
    private var isEnded = false

    /// - Parameter range: of presentation times that are kept.
    init(trackID: UInt32, timescale: UInt32, delay: Int64, range: Range<Int64>) {
        self.trackID = trackID
        self.timescale = Int64(timescale)
        self.delay = delay
        self.range = range
    }

    /// Takes samples in decoding order and gives the bytes of the fragments that are complete by them.
    mutating func add(_ samples: [TimedSample]) throws(MediaError) -> [UInt8] {
        var bytes: [UInt8] = []
        for sample in samples where !isEnded {
            if sample.isKeyframe {
                bytes += try close(at: sample.presentation)
                if sample.presentation >= range.upperBound {
                    isEnded = true
                } else {
                    group = Group(start: sample.presentation, samples: [sample])
                }
            } else {
                guard group != nil else { throw Self.failure("its first picture is no keyframe") }
                group?.samples.append(sample)
            }
        }
        return bytes
    }

    /// The last group, when no picture follows.
    mutating func finish() throws(MediaError) -> [UInt8] {
        guard let group, let last = group.samples.max(by: { $0.presentation < $1.presentation }) else { return [] }
        return try close(at: last.presentation + max(1, Int64(last.duration)))
    }

    private mutating func close(at end: Int64) throws(MediaError) -> [UInt8] {
        guard let group else { return [] }
        self.group = nil
        let shown = group.samples.map(\.presentation).sorted()
        guard shown[0] == group.start, let last = shown.last, last < end, last < range.upperBound else {
            throw Self.failure("a group of pictures is not closed")
        }
        guard zip(shown, shown.dropFirst()).allSatisfy({ $0 < $1 }), group.start >= range.lowerBound else {
            throw Self.failure("two pictures are shown at the same time")
        }
        let decode = decodeTimes(of: group, shown: shown)
        let samples = group.samples.indices.map { index in
            let next = index + 1 < decode.count ? decode[index + 1] : end
            return CMAFFragment.Sample(
                duration: UInt32(clamping: next - decode[index]),
                compositionOffset: UInt32(clamping: group.samples[index].presentation + delay - decode[index]),
                isKeyframe: group.samples[index].isKeyframe, bytes: group.samples[index].bytes)
        }
        sequence += 1
        let bytes = CMAFFragment.bytes(
            trackID: trackID, sequence: sequence, decodeTime: UInt64(group.start), samples)
        presentations += shown
        enter(start: group.start, end: end, sizeBytes: bytes.count, sampleCount: samples.count)
        return bytes
    }

    /// Strictly ascending, at the latest the presentation and what it may wait.
    private func decodeTimes(of group: Group, shown: [Int64]) -> [Int64] {
        var times = shown
        var bound = Int64.max
        for index in times.indices.reversed() {
            bound = min(bound == .max ? bound : bound - 1, group.samples[index].presentation + delay)
            times[index] = max(group.start, min(times[index], bound))
        }
        return times
    }

    /// Counts a fragment to the segment of its cell.
    private mutating func enter(start: Int64, end: Int64, sizeBytes: Int, sampleCount: Int) {
        defer { offsetBytes += sizeBytes }
        let cell = timescale * Int64(WorkUnitPlan.segmentSeconds)
        if let open = segments.last, open.startTicks / cell == start / cell {
            segments[segments.count - 1] = EncodedSegment(
                offsetBytes: open.offsetBytes, sizeBytes: open.sizeBytes + sizeBytes, startTicks: open.startTicks,
                durationTicks: end - open.startTicks, sampleCount: open.sampleCount + sampleCount)
        } else {
            segments.append(
                EncodedSegment(
                    offsetBytes: offsetBytes, sizeBytes: sizeBytes, startTicks: start, durationTicks: end - start,
                    sampleCount: sampleCount))
        }
    }

    private static func failure(_ what: String) -> MediaError {
        MediaError(.badEncode, "the encode cannot be used: \(what)")
    }
}
