import Testing

@testable import Media

/// What of a source a unit decodes: all that its pictures need, and little else.
@Suite struct SourceTimelineTests {
    private struct Fed {
        /// In seconds, of what is decoded.
        let first: Double
        let byteCount: Int
        let readCount: Int
    }

    /// The part from 6 s on of 14 s with a keyframe every second, of which segments are made.
    private func feed(_ x264: String, from start: Int = 6) async throws -> Fed {
        let clip = try await Clip(
            [
                "-f", "lavfi", "-i", "testsrc2=size=192x108:rate=24:duration=14", "-c:v", "libx264", "-preset",
                "veryfast",
                "-pix_fmt", "yuv420p", "-bf", "3", "-g", "24", "-x264-params", x264,
            ])
        let source = try await LadderSource(clip)
        let plan = WorkUnitPlan(segments: source.segments, labels: ["360p"], starts: start == 0 ? [0] : [0, start])
        let unit = try #require(plan.units.last)
        let next = source.reader(unit.sourceSegments)
        var timeline = SourceTimeline(of: unit)
        var (byteCount, readCount) = (0, 0)
        while let piece = try await next() {
            readCount += piece.count
            for bytes in try timeline.feed(piece) { byteCount += bytes.count }
        }
        let (pictures, rest) = try timeline.finish()
        byteCount += rest.reduce(0) { $0 + $1.count }
        let first = try #require(pictures.presentations.first)
        return Fed(
            first: Double(first) / Double(pictures.timescale), byteCount: byteCount, readCount: readCount)
    }

    @Test("closed groups are decoded from the last one that begins before the part")
    func closedGroups() async throws {
        let fed = try await feed("open-gop=0:scenecut=0")
        #expect(fed.first > 5 && fed.first <= 6)
        #expect(fed.byteCount < fed.readCount)
    }

    @Test("open groups are decoded with all that was read before them")
    func openGroups() async throws {
        let fed = try await feed("open-gop=1:scenecut=0")
        #expect(fed.first < 5)
        #expect(fed.byteCount == fed.readCount)
    }

    @Test("what begins with the video is decoded from there")
    func beginning() async throws {
        let fed = try await feed("open-gop=0:scenecut=0", from: 0)
        #expect(fed.first == 0)
        #expect(fed.byteCount == fed.readCount)
    }
}
