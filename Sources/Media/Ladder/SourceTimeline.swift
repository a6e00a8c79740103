import Base

/// When the pictures of a source rendition are shown, gathered while its bytes pass by, and which of those bytes a unit
/// has to decode. Pure.
///
/// What is read begins a source segment or two before the unit's part. A picture of H.264 that refreshes instantaneously
/// needs nothing from before it, and nothing after it does: from the last one at or before the part's begin on, the part
/// can be decoded, and what comes before is left out.
struct SourceTimeline {
    /// What is held back of it at a time. More is decoded, needed or not.
    private static let heldBytesMax = 64 * ByteCount.mebibyte

    private struct Piece {
        let bytes: [UInt8]
        let pictures: [Int64]
    }

    private let unit: WorkUnit
    private var parser = FragmentParser()
    private var header: InitializationSegment?
    private var pictures: [Int64] = []
    /// What may turn out to be needless; nil once nothing more can.
    private var held: [Piece]? = []

    init(of unit: WorkUnit) { self.unit = unit }

    /// - Returns: what is to be decoded of what came so far and was not given yet.
    mutating func feed(_ bytes: [UInt8]) throws(MediaError) -> [[UInt8]] {
        var needed: [[UInt8]] = []
        for event in try parser.feed(bytes) {
            switch event {
            case .initialization(let segment):
                header = segment
                needed.append(segment.bytes)
            case .fragment(let fragment):
                guard let header, let track = header.video else { continue }
                let samples = try TimedSample.all(of: track, in: fragment, header)
                needed += take(
                    Piece(bytes: fragment.bytes, pictures: samples.map(\.presentation)), samples.first, track)
            }
        }
        return needed
    }

    /// - Returns: the pictures, and what is left to be decoded.
    /// - Throws: ``MediaError`` when it ended within a fragment or has no picture.
    mutating func finish() throws(MediaError) -> (pictures: SourcePictures, rest: [[UInt8]]) {
        try parser.finish()
        let rest = release()
        guard let track = header?.video, !pictures.isEmpty else {
            throw MediaError(.malformedFragment, "what was read of the source holds no picture")
        }
        return (SourcePictures(timescale: track.timescale, presentations: Array(Set(pictures)).sorted()), rest)
    }

    private mutating func take(
        _ piece: Piece, _ first: TimedSample?, _ track: InitializationSegment.Track
    ) -> [[UInt8]] {
        guard let held else {
            pictures += piece.pictures
            return [piece.bytes]
        }
        let start = unit.range(timescale: track.timescale).lowerBound
        let isBegin = first.map { first in
            first.presentation <= start && NALUnits.holdInstantaneousRefresh(first.bytes)
                && held.allSatisfy { $0.pictures.allSatisfy { $0 < first.presentation } }
        }
        self.held = isBegin == true ? [piece] : held + [piece]
        let isPast = first.map { $0.presentation > start } ?? false
        let heldBytes = held.reduce(0) { $0 + $1.bytes.count }
        return isPast || heldBytes > Self.heldBytesMax ? release() : []
    }

    private mutating func release() -> [[UInt8]] {
        let pieces = held ?? []
        held = nil
        pictures += pieces.flatMap(\.pictures)
        return pieces.map(\.bytes)
    }
}

/// The pictures of what was read of a source, and which of them a unit must show.
struct SourcePictures {
    /// Ticks in a second.
    let timescale: UInt32
    /// In ascending order.
    let presentations: [Int64]

    /// What a unit decodes for.
    struct Cut {
        /// Presentation times that belong to the unit.
        let range: Range<Int64>
        /// Its pictures.
        let wanted: [Int64]
        /// The first and the last picture that ffmpeg encodes: one more than is wanted, where there is one, tells when
        /// the last one's time ends.
        let encoded: ClosedRange<Int64>
        /// Those among them that must be keyframes: the first of each cell of 2 s, and of the next part.
        let keyframes: [Int64]
    }

    func cut(_ unit: WorkUnit) throws(MediaError) -> Cut {
        let range = unit.range(timescale: timescale)
        guard !range.isEmpty else { throw MediaError(.malformedFragment, "a unit ends before it begins") }
        let wanted = presentations.filter(range.contains)
        if let first = wanted.first, let last = wanted.last {
            let next = presentations.first { $0 >= range.upperBound }
            return Cut(
                range: range, wanted: wanted, encoded: first...(next ?? last),
                keyframes: keyframes(wanted) + (next.map { [$0] } ?? []))
        }
        // Nothing is shown in the unit; one picture is encoded for the header's sake, and dropped.
        guard let other = presentations.last(where: { $0 < range.lowerBound }) ?? presentations.first else {
            throw MediaError(.malformedFragment, "what was read of the source holds no picture")
        }
        return Cut(range: other..<other, wanted: [], encoded: other...other, keyframes: [other])
    }

    private func keyframes(_ wanted: [Int64]) -> [Int64] {
        let cell = Int64(timescale) * Int64(WorkUnitPlan.groupSeconds)
        var result: [Int64] = []
        for picture in wanted where result.last.map({ $0 / cell }) != picture / cell { result.append(picture) }
        return result
    }
}
