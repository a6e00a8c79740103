import Testing

@testable import Media

@Suite struct WorkUnitPlanTests {
    private let labels = ["1080p", "720p", "480p", "360p"]

    /// Segments of these lengths, one after the other.
    private func segments(_ lengths: [Double]) -> [SourceSegment] {
        var start = 0.0
        return lengths.map { length in
            defer { start += length }
            return SourceSegment(startSeconds: start, durationSeconds: length)
        }
    }

    private func parts(_ plan: WorkUnitPlan) -> [WorkUnit] {
        (0..<plan.partCount).compactMap { part in plan.units.first { $0.part == part } }
    }

    @Test(
        "parts follow each other to the end, and what each reads covers it",
        arguments: [
            [Double](repeating: 6, count: 100), [Double](repeating: 5.872, count: 61),
            [Double](repeating: 8.333, count: 9),
            [Double](repeating: 0.5, count: 300), [20, 31, 2, 90, 7, 6.006, 11], [600, 600, 3],
        ])
    func covering(lengths: [Double]) {
        let segments = segments(lengths)
        let plan = WorkUnitPlan(segments: segments, labels: labels)
        let parts = parts(plan)
        let total = segments.last?.endSeconds ?? 0
        #expect(parts.first?.startSeconds == 0)
        #expect(parts.last?.endSeconds == nil)
        #expect(parts.last?.sourceSegmentEnd == segments.count)
        for (one, next) in zip(parts, parts.dropFirst()) { #expect(one.endSeconds == next.startSeconds) }
        for part in parts {
            #expect(part.startSeconds % 6 == 0)
            let first = segments[part.sourceSegmentFirst]
            // A keyframe's segment is not read without the one before, or it is far enough away.
            let near = segments.lastIndex { $0.startSeconds < Double(part.startSeconds) + 0.001 } ?? 0
            let isFar = Double(part.startSeconds) - first.startSeconds >= 2
            #expect(first.startSeconds == 0 || isFar || part.sourceSegmentFirst < near)
            if let end = part.endSeconds {
                #expect(end > part.startSeconds && Double(end) < total)
                #expect(segments[part.sourceSegmentEnd - 1].startSeconds >= Double(end) - 0.001)
            }
        }
        for part in 0..<plan.partCount {
            #expect(plan.units.filter { $0.part == part }.flatMap(\.labels).sorted() == labels.sorted())
        }
    }

    @Test("the first part is short and its lowest rung comes first; the others are 30 to 60 s")
    func lengths() {
        let plan = WorkUnitPlan(segments: segments([Double](repeating: 6, count: 100)), labels: labels)
        #expect(plan.units[0].labels == ["360p"])
        #expect(plan.units[1].labels == ["1080p", "720p", "480p"])
        #expect(plan.units[0].endSeconds == 6)
        for part in parts(plan).dropFirst().dropLast() {
            #expect((30...60).contains((part.endSeconds ?? 0) - part.startSeconds))
        }
        #expect((30...60).contains(600 - (plan.units.last?.startSeconds ?? 0)))
    }

    @Test("a minute is cut into parts that two followers share evenly")
    func minute() {
        let plan = WorkUnitPlan(segments: segments([Double](repeating: 6, count: 10)), labels: labels)
        #expect(parts(plan).map(\.startSeconds) == [0, 6, 18, 30, 42, 48])
    }

    @Test("a short video is one unit")
    func short() {
        let plan = WorkUnitPlan(segments: segments([6, 6, 5]), labels: labels)
        #expect(
            plan.units == [
                WorkUnit(
                    part: 0, startSeconds: 0, endSeconds: nil, labels: labels, sourceSegmentFirst: 0,
                    sourceSegmentEnd: 3)
            ])
    }

    @Test("a source with a single keyframe is one unit, however long")
    func giantGroup() {
        #expect(WorkUnitPlan(segments: segments([3600]), labels: labels).units.count == 1)
    }

    @Test("nothing to make is no unit")
    func nothing() {
        #expect(WorkUnitPlan(segments: [], labels: labels).units.isEmpty)
        #expect(WorkUnitPlan(segments: segments([6]), labels: []).units.isEmpty)
    }
}
