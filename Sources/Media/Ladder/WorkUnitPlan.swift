/// Cuts a video into work units by the segments of its source rendition alone, without reading any of it.
///
/// Invariants:
/// - Parts follow each other on the timeline from 0 to the end, so each picture belongs to exactly one.
/// - A part begins at the first multiple of 6 s at or after a source segment's begin: reading from that segment on
///   decodes it without a long run-up.
/// - Over all units each label occurs once a part.
package struct WorkUnitPlan: Hashable, Sendable {
    /// Of the rungs' segments, and between keyframes.
    package static let segmentSeconds = 6
    package static let groupSeconds = 2
    /// A video no longer than this is one unit.
    static let singleSecondsMax = 18.0
    /// Of the parts of a long video. A shorter one is cut into more, so that several followers share it evenly.
    private static let targetSeconds = 12.0...48.0
    private static let partsWanted = 5.0
    /// A picture before a segment's keyframe may be shown after the segment's nominal begin; nearer to it than this
    /// the segment before is read as well.
    private static let runUpSeconds = 2.0
    /// A part that holds no begin of a segment may hold no picture, unless it is as long as this.
    private static let partSecondsMin = 12.0
    /// Times of the catalog are floating-point numbers.
    private static let epsilon = 0.0005

    /// In the order in which they are worth doing.
    package let units: [WorkUnit]
    /// How many parts each rendition has.
    package let partCount: Int

    /// - Parameters:
    ///   - segments: of the source rendition, in order.
    ///   - labels: of the ladder's rungs, highest first.
    package init(segments: [SourceSegment], labels: [String]) {
        let isNothing = segments.isEmpty || labels.isEmpty
        self.init(segments: segments, labels: labels, starts: isNothing ? [] : Self.starts(segments))
    }

    /// - Parameter starts: where parts begin, in whole seconds.
    init(segments: [SourceSegment], labels: [String], starts: [Int]) {
        partCount = starts.count
        units = starts.indices.flatMap { part in
            let end = part + 1 < starts.count ? starts[part + 1] : nil
            // The first part's lowest rung goes by itself, so that playing can begin with it.
            let groups =
                part == 0 && starts.count > 1 && labels.count > 1
                ? [[labels[labels.count - 1]], Array(labels.dropLast())] : [labels]
            return groups.map { labels in
                WorkUnit(
                    part: part, startSeconds: starts[part], endSeconds: end, labels: labels,
                    sourceSegmentFirst: Self.first(segments, from: starts[part]),
                    sourceSegmentEnd: Self.end(segments, to: end))
            }
        }
    }

    /// Where parts begin.
    private static func starts(_ segments: [SourceSegment]) -> [Int] {
        let total = segments.map(\.endSeconds).max() ?? 0
        var starts = [0]
        guard total > singleSecondsMax else { return starts }
        let borders = borders(segments)
        while let last = starts.last, let next = next(after: last, borders, segments, total) { starts.append(next) }
        return starts
    }

    /// Multiples of 6 s that a segment's begin lies shortly before, ascending.
    private static func borders(_ segments: [SourceSegment]) -> [Int] {
        var borders: [Int] = []
        for segment in segments {
            let grid = Double(segmentSeconds)
            let border = Int(((segment.startSeconds - epsilon) / grid).rounded(.up)) * segmentSeconds
            if border > borders.last ?? 0 { borders.append(border) }
        }
        return borders
    }

    /// The begin of the part after the one that begins at `start`: the first part short, the others of about equal
    /// length.
    private static func next(
        after start: Int, _ borders: [Int], _ segments: [SourceSegment], _ total: Double
    ) -> Int? {
        let rest = total - Double(start)
        let target = min(max(total / partsWanted, targetSeconds.lowerBound), targetSeconds.upperBound)
        let count = (rest / target).rounded()
        guard start == 0 || count > 1 else { return nil }
        let ideal = start == 0 ? Double(segmentSeconds) : Double(start) + rest / count
        let candidates = borders.filter { border in
            border > start && mayBegin(border, segments, total)
                && segments.contains { $0.startSeconds >= Double(start) && $0.startSeconds < Double(border) }
        }
        return candidates.min { abs(Double($0) - ideal) < abs(Double($1) - ideal) }
    }

    /// Whether something is left to show from there on.
    private static func mayBegin(_ border: Int, _ segments: [SourceSegment], _ total: Double) -> Bool {
        total - Double(border) >= partSecondsMin || segments.contains { $0.startSeconds > Double(border) + epsilon }
    }

    private static func first(_ segments: [SourceSegment], from start: Int) -> Int {
        let begin = segments.lastIndex { $0.startSeconds <= Double(start) + epsilon } ?? 0
        let isNear = Double(start) - segments[begin].startSeconds < runUpSeconds
        return isNear ? max(0, begin - 1) : begin
    }

    /// Up to the first segment that begins at or after the end: it may hold pictures from before its keyframe, and it
    /// tells when the part's last picture ends.
    private static func end(_ segments: [SourceSegment], to end: Int?) -> Int {
        guard let end, let after = segments.firstIndex(where: { $0.startSeconds >= Double(end) - epsilon }) else {
            return segments.count
        }
        return after + 1
    }
}
