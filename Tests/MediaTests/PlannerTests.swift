import Testing

@testable import Media

@Suite struct PlannerTests {
    private func fragment(_ count: Int, at start: Double, for duration: Double, key: Bool = true) -> Fragment {
        Fragment(
            bytes: (0..<count).map { UInt8(truncatingIfNeeded: $0) }, startSeconds: start, durationSeconds: duration,
            startsWithKeyframe: key, frameCount: 30)
    }

    private func chunks(_ fragments: [Fragment], bytesMax: Int, secondsTarget: Double = 10) -> [PlannedChunk] {
        var planner = ChunkPlanner(bytesMax: bytesMax, secondsTarget: secondsTarget)
        return fragments.flatMap { planner.add($0) } + planner.finish()
    }

    private func checkInvariants(_ chunks: [PlannedChunk], _ fragments: [Fragment], bytesMax: Int) {
        #expect(chunks.flatMap(\.bytes) == fragments.flatMap(\.bytes))
        #expect(chunks.map(\.sequence) == Array(0..<chunks.count))
        #expect(chunks.allSatisfy { $0.bytes.count <= bytesMax && !$0.bytes.isEmpty })
        var end = 0.0
        for chunk in chunks {
            #expect(abs(chunk.startSeconds - end) < 1e-9)
            #expect(chunk.durationSeconds >= 0)
            end = chunk.startSeconds + chunk.durationSeconds
        }
        let last = fragments.last.map { $0.startSeconds + $0.durationSeconds } ?? 0
        #expect(abs(end - last) < 1e-9)
    }

    @Test("small fragments are gathered until about the wanted length")
    func byTime() {
        let fragments = (0..<15).map { fragment(100, at: Double($0) * 2, for: 2) }
        let chunks = chunks(fragments, bytesMax: 100_000)
        checkInvariants(chunks, fragments, bytesMax: 100_000)
        #expect(chunks.map(\.durationSeconds) == [10, 10, 10])
    }

    @Test("a chunk never grows over the limit")
    func bySize() {
        let fragments = (0..<9).map { fragment(400, at: Double($0), for: 1) }
        let chunks = chunks(fragments, bytesMax: 1000)
        checkInvariants(chunks, fragments, bytesMax: 1000)
        #expect(chunks.map(\.bytes.count) == [800, 800, 800, 800, 400])
    }

    @Test("a fragment over the limit is cut into equal parts that share its time")
    func oversized() {
        let fragments = [fragment(100, at: 0, for: 1), fragment(2500, at: 1, for: 3), fragment(100, at: 4, for: 1)]
        let chunks = chunks(fragments, bytesMax: 1000)
        checkInvariants(chunks, fragments, bytesMax: 1000)
        #expect(chunks.map(\.bytes.count) == [100, 833, 833, 834, 100])
        #expect(abs(chunks[1].durationSeconds - 3 * 833 / 2500) < 1e-9)
    }

    @Test("any run of fragments keeps the invariants")
    func random() {
        var random = SeededRandom(state: 7)
        for _ in 0..<200 {
            var start = 0.0
            let fragments = (0..<Int.random(in: 1...20, using: &random)).map { _ in
                let duration = Double.random(in: 0...12, using: &random)
                defer { start += duration }
                return fragment(Int.random(in: 1...3000, using: &random), at: start, for: duration)
            }
            checkInvariants(chunks(fragments, bytesMax: 1000), fragments, bytesMax: 1000)
        }
    }

    @Test("the initialization segment is the beginning of chunk 0 of a real rendition")
    func initialization() async throws {
        let clip = try await Clip.plain()
        let produced = try await Produced(clip.path)
        let segment = try #require(produced.initialization)
        var planner = ChunkPlanner(bytesMax: 2 << 20, secondsTarget: 1)
        planner.begin(segment)
        let chunks = produced.fragments.flatMap { planner.add($0) } + planner.finish()
        #expect(chunks.count == 3)
        #expect(chunks[0].bytes.starts(with: segment.bytes))
        #expect(chunks.flatMap(\.bytes) == produced.bytes)
        #expect(planner.chunkCount == 3)
    }

    @Test("segments are of about six seconds and begin with a keyframe")
    func segments() {
        var planner = SegmentPlanner()
        for index in 0..<20 {
            planner.add(fragment(1000, at: Double(index), for: 1, key: index % 2 == 0))
        }
        #expect(planner.segments.map(\.durationSeconds) == [6, 6, 6, 2])
        #expect(planner.segments.map(\.offsetBytes) == [0, 6000, 12000, 18000])
        #expect(planner.segments.map(\.sizeBytes) == [6000, 6000, 6000, 2000])
        #expect(planner.peakBitsPerSecond == 8000)
        #expect(planner.averageBitsPerSecond == 8000)
        #expect(planner.frameCount == 600)
        #expect(planner.durationSeconds == 20)
    }

    @Test("segments cover the stream from the end of the initialization segment to its end")
    func coverage() async throws {
        let clip = try await Clip.plain()
        let produced = try await Produced(clip.path)
        var planner = SegmentPlanner(secondsTarget: 1)
        planner.begin(try #require(produced.initialization))
        for fragment in produced.fragments { planner.add(fragment) }
        var offset = planner.initializationBytes
        for segment in planner.segments {
            #expect(segment.offsetBytes == offset)
            offset += segment.sizeBytes
        }
        #expect(offset == produced.bytes.count)
        #expect(planner.sizeBytes == offset)
        #expect(planner.segments.count == 3)
    }
}
