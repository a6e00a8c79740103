/// Looks at the segments of a stream before they are published, box by box. Pure; the reason it gives is one sentence.
///
/// Feed it the segments in order, then ask ``finish()``.
package struct SegmentCheck: Sendable {
    package struct Expectation: Sendable, Hashable {
        /// How the codec's name begins: `avc1.4d` is H.264 Main.
        package var codecPrefix: String
        /// Zero for sound.
        package var width: Int
        package var height: Int
        /// Pictures or packets over all segments; nil when it is not known.
        package var sampleCount: Int?
        /// What the stream is a part of; nil for a whole.
        package var unit: WorkUnit?

        package init(rung: LadderRung, unit: WorkUnit, pictureCount: Int?) {
            codecPrefix = "avc1.4d"
            width = rung.width
            height = rung.height
            sampleCount = pictureCount
            self.unit = unit
        }

        /// Of the sound.
        package init() {
            codecPrefix = AudioEncoder.codec
            width = 0
            height = 0
        }
    }

    /// Why a stream must not be published.
    package struct Problem: Error, Sendable, Hashable {
        package let reason: String
    }

    private let expectation: Expectation
    private let header: InitializationSegment
    private let track: InitializationSegment.Track
    private var end: Int64?
    private var decodeEnd: Int64?
    private var sampleCount = 0
    private var segmentCount = 0

    /// - Throws: ``Problem`` when the initialization segment is not what was ordered.
    package init(initialization: [UInt8], _ expectation: Expectation) throws(Problem) {
        self.expectation = expectation
        header = try Self.header(initialization)
        guard header.tracks.count == 1, let only = header.tracks.first else {
            throw Problem(reason: "the stream has \(header.tracks.count) tracks instead of one")
        }
        track = only
        guard track.codec.hasPrefix(expectation.codecPrefix) else {
            throw Problem(reason: "the codec is \(track.codec) instead of \(expectation.codecPrefix)")
        }
        guard (track.width, track.height) == (expectation.width, expectation.height) else {
            throw Problem(
                reason: "the picture is \(track.width)×\(track.height) instead of "
                    + "\(expectation.width)×\(expectation.height)")
        }
    }

    /// - Throws: ``Problem``.
    package mutating func check(_ segment: EncodedSegment, bytes: [UInt8]) throws(Problem) {
        let name = "segment \(segmentCount)"
        segmentCount += 1
        guard bytes.count == segment.sizeBytes else {
            throw Problem(reason: "\(name) has \(bytes.count) bytes instead of \(segment.sizeBytes)")
        }
        if let end, end != segment.startTicks {
            throw Problem(reason: "\(name) does not begin where the one before ends")
        }
        let fragments: [Fragment]
        do {
            fragments = try Self.fragments(header, bytes)
        } catch {
            throw Problem(reason: "\(name): \(error.message)")
        }
        let shown = try examine(fragments, of: segment, name)
        guard shown.count == segment.sampleCount else {
            throw Problem(reason: "\(name) has \(shown.count) samples instead of \(segment.sampleCount)")
        }
        try checkTimes(of: segment, first: shown.min() ?? 0, last: shown.max() ?? 0, name)
        end = segment.endTicks
        sampleCount += shown.count
    }

    /// - Throws: ``Problem`` about the whole.
    package func finish() throws(Problem) {
        if let wanted = expectation.sampleCount, wanted != sampleCount {
            throw Problem(reason: "there are \(sampleCount) pictures instead of the source's \(wanted)")
        }
        if let end, let seconds = expectation.unit?.endSeconds, end < range.upperBound {
            throw Problem(reason: "the stream ends before \(seconds) s, where its part does")
        }
    }

    private var range: Range<Int64> { expectation.unit?.range(timescale: track.timescale) ?? 0..<Int64.max }

    /// - Returns: presentation times of all samples.
    private mutating func examine(
        _ fragments: [Fragment], of segment: EncodedSegment, _ name: String
    ) throws(Problem) -> [Int64] {
        var shown: [Int64] = []
        for (index, fragment) in fragments.enumerated() {
            let (samples, decode) = try read(fragment, name)
            guard let first = samples.first else { throw Problem(reason: "\(name) has a fragment without samples") }
            if track.kind == .video { try checkKeyframe(first, samples, name) }
            if let decodeEnd, decodeEnd != decode {
                throw Problem(reason: "\(name) leaves a gap or overlaps in decode time at its fragment \(index)")
            }
            decodeEnd = samples.reduce(decode) { $0 + Int64($1.duration) }
            shown += samples.map(\.presentation)
        }
        let shift = track.kind == .audio ? track.mediaStart : 0
        guard let decodeEnd, decodeEnd - shift == segment.endTicks, segment.durationTicks > 0 else {
            throw Problem(reason: "\(name) is not as long as its entry says")
        }
        return shown
    }

    private func read(_ fragment: Fragment, _ name: String) throws(Problem) -> ([TimedSample], Int64) {
        do {
            let samples = try TimedSample.all(of: track, in: fragment, header)
            return (samples, Int64(clamping: try TimedSample.decodeTime(of: track, in: fragment, header)))
        } catch {
            throw Problem(reason: "\(name): \(error.message)")
        }
    }

    private func checkKeyframe(_ first: TimedSample, _ all: [TimedSample], _ name: String) throws(Problem) {
        guard first.isKeyframe, NALUnits.holdInstantaneousRefresh(first.bytes) else {
            throw Problem(reason: "\(name) has a fragment that does not begin with a keyframe")
        }
        guard all.allSatisfy({ $0.presentation >= first.presentation }) else {
            throw Problem(reason: "\(name) shows a picture before its keyframe")
        }
    }

    private func checkTimes(of segment: EncodedSegment, first: Int64, last: Int64, _ name: String) throws(Problem) {
        guard max(0, first) == segment.startTicks, last < segment.endTicks else {
            throw Problem(reason: "\(name) is not shown when its entry says")
        }
        guard track.kind == .audio || (range.contains(first) && range.contains(last)) else {
            throw Problem(reason: "\(name) shows pictures outside its part")
        }
    }

    private static func header(_ bytes: [UInt8]) throws(Problem) -> InitializationSegment {
        do {
            return try InitializationSegment(bytes: bytes)
        } catch {
            throw Problem(reason: "the initialization segment is broken: \(error.message)")
        }
    }

    private static func fragments(_ header: InitializationSegment, _ bytes: [UInt8]) throws(MediaError) -> [Fragment] {
        var parser = FragmentParser()
        _ = try parser.feed(header.bytes)
        var fragments: [Fragment] = []
        for event in try parser.feed(bytes) { if case .fragment(let fragment) = event { fragments.append(fragment) } }
        try parser.finish()
        return fragments
    }
}

/// NAL units of H.264 as MP4 keeps them: a length of four bytes before each (ISO/IEC 14496-15 §5.3.4.2).
enum NALUnits {
    private static let instantaneousRefresh: UInt8 = 5

    /// Whether a picture that needs no other is in there, and whole units only.
    static func holdInstantaneousRefresh(_ sample: ArraySlice<UInt8>) -> Bool {
        var reader = BoxReader(sample)
        var isFound = false
        while reader.remaining > 0 {
            guard let length = try? reader.u32(), let unit = try? reader.take(Int(length)), let header = unit.first
            else {
                return false
            }
            isFound = isFound || header & 0x1f == instantaneousRefresh
        }
        return isFound
    }
}
