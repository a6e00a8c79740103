/// When the pictures of a source rendition are shown, gathered while its bytes pass by. Pure.
struct SourceTimeline {
    private var parser = FragmentParser()
    private var pictures: [Int64] = []
    private(set) var header: InitializationSegment?

    mutating func feed(_ bytes: [UInt8]) throws(MediaError) {
        for event in try parser.feed(bytes) {
            switch event {
            case .initialization(let segment): header = segment
            case .fragment(let fragment):
                guard let header, let track = header.video else { continue }
                pictures += try TimedSample.all(of: track, in: fragment, header).map(\.presentation)
            }
        }
    }

    /// - Throws: ``MediaError`` when it ended within a fragment or has no picture.
    mutating func finish() throws(MediaError) -> SourcePictures {
        try parser.finish()
        guard let track = header?.video, !pictures.isEmpty else {
            throw MediaError(.malformedFragment, "what was read of the source holds no picture")
        }
        return SourcePictures(timescale: track.timescale, presentations: Array(Set(pictures)).sorted())
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
