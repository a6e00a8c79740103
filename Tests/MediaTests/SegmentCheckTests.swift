import Base
import Foundation
import Testing

@testable import Media

/// A good stream passes; each way of being wrong is named.
@Suite struct SegmentCheckTests {
    private struct Made {
        let stream: EncodedStream
        let unit: WorkUnit
        let rung: LadderRung
        let segments: [[UInt8]]
        let scratch: ScratchFolder

        init() async throws {
            let clip = try await Clip(Clip.picture("128x72", seconds: 14, rate: 10) + Clip.h264)
            let source = try await LadderSource(clip)
            let ladder = LadderPlan.small(source)
            rung = ladder.rungs[0]
            unit = WorkUnitPlan(segments: source.segments, labels: [rung.label], starts: [0, 12]).units[0]
            scratch = try ScratchFolder(in: NSTemporaryDirectory())
            let made = try await UnitEncoder(MediaTools()).encode(
                unit, of: ladder, in: scratch, source: source.reader(unit.sourceSegments))
            stream = made.streams[0]
            var segments: [[UInt8]] = []
            for segment in stream.segments { segments.append(try await stream.bytes(of: segment)) }
            self.segments = segments
        }

        func unit(_ start: Int, _ end: Int) -> WorkUnit {
            WorkUnit(
                part: 0, startSeconds: start, endSeconds: end, labels: [], sourceSegmentFirst: 0, sourceSegmentEnd: 0)
        }

        var expectation: SegmentCheck.Expectation {
            SegmentCheck.Expectation(rung: rung, unit: unit, pictureCount: 120)
        }

        func reason(
            initialization: [UInt8]? = nil, entries: [EncodedSegment]? = nil, segments: [[UInt8]]? = nil,
            _ change: (inout SegmentCheck.Expectation) -> Void = { _ in }
        ) -> String? {
            var expectation = expectation
            change(&expectation)
            do throws(SegmentCheck.Problem) {
                var check = try SegmentCheck(initialization: initialization ?? stream.initialization, expectation)
                for (entry, bytes) in zip(entries ?? stream.segments, segments ?? self.segments) {
                    try check.check(entry, bytes: bytes)
                }
                try check.finish()
                return nil
            } catch {
                return error.reason
            }
        }
    }

    /// Where the nth box of that type has its body.
    private func place(of type: String, in bytes: [UInt8]) throws -> Int {
        let name = Array(type.utf8)
        let index = try #require((0..<bytes.count - 4).first { Array(bytes[$0..<$0 + 4]) == name })
        return index + 4
    }

    @Test("each defect has its sentence")
    func defects() async throws {
        let made = try await Made()
        #expect(made.reason() == nil)
        #expect(made.stream.segments.count == 2)

        #expect(made.reason { $0.codecPrefix = "avc1.64" }?.contains("codec") == true)
        #expect(made.reason { $0.width = 130 }?.contains("130") == true)
        #expect(made.reason { $0.sampleCount = 121 }?.contains("120 pictures") == true)
        #expect(made.reason { $0.unit = made.unit(6, 12) }?.contains("outside its part") == true)
        #expect(made.reason { $0.unit = made.unit(0, 18) }?.contains("ends before 18 s") == true)
        #expect(made.reason(initialization: [1, 2, 3])?.contains("initialization") == true)
        #expect(
            made.reason(entries: [made.stream.segments[0], made.stream.segments[0]], segments: [
                made.segments[0], made.segments[0],
            ])?.contains("does not begin where") == true)
        #expect(made.reason(segments: [made.segments[1], made.segments[0]])?.contains("bytes instead") == true)

        var moved = made.segments
        moved[0][try place(of: "tfdt", in: moved[0]) + 11] &+= 1
        #expect(made.reason(segments: moved) != nil)

        var notKey = made.segments
        // The first sample's flags follow version, count and data offset.
        notKey[0][try place(of: "trun", in: notKey[0]) + 13] |= 1
        #expect(made.reason(segments: notKey)?.contains("keyframe") == true)

        var noRefresh = made.segments
        let data = try place(of: "mdat", in: noRefresh[0])
        for index in data..<data + 4000 where noRefresh[0][index] == 0x65 { noRefresh[0][index] = 0x61 }
        #expect(made.reason(segments: noRefresh)?.contains("keyframe") == true)

        for length in [0, 7, 100, made.segments[1].count / 2] {
            var torn = made.segments
            torn[1] = Array(torn[1].prefix(length))
            #expect(made.reason(segments: torn) != nil)
        }
    }

    @Test("any byte of the boxes may be wrong without a crash")
    func fuzzed() async throws {
        let made = try await Made()
        let boxes = try place(of: "mdat", in: made.segments[0])
        for index in 0..<boxes {
            var broken = made.segments
            broken[0][index] ^= 0xff
            _ = made.reason(segments: [broken[0]])
        }
        for index in made.stream.initialization.indices {
            var broken = made.stream.initialization
            broken[index] ^= 0xff
            _ = made.reason(initialization: broken)
        }
    }

    @Test("a stream whose pictures are damaged does not decode")
    func undecodable() async throws {
        let made = try await Made()
        try await DecodeCheck(MediaTools()).check(made.stream)
        var bytes = made.stream.initialization + made.segments.flatMap(\.self)
        let data = made.stream.initialization.count + (try place(of: "mdat", in: made.segments[0]))
        for index in data + 900..<data + 3000 { bytes[index] ^= 0x5a }
        let clip = try Clip(bytes: bytes)
        let damaged = EncodedStream(
            label: made.stream.label, initialization: made.stream.initialization, codec: made.stream.codec,
            width: made.stream.width, height: made.stream.height, timescale: made.stream.timescale,
            segments: made.stream.segments, path: clip.path)
        await #expect(throws: SegmentCheck.Problem.self) { try await DecodeCheck(MediaTools()).check(damaged) }
    }
}
