import Base
import Foundation
import Processes
import Synchronization
import Testing

@testable import Media

/// Parts that are encoded apart must be, put together, what one run over the whole would have made.
@Suite struct UnitEncoderTests {
    private static let size = "192x108"
    private static let x264 = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-bf", "3"]

    /// Makes parts at 6 and 12 s and compares them with a decode of the whole source.
    @discardableResult private func check(_ clip: Clip, frameCount: Int? = nil) async throws -> EncodedLadder {
        let source = try await LadderSource(clip)
        let made = try await EncodedLadder(source, .small(source), starts: [0, 6, 12])
        let whole = try source.file()
        let times = try await Verified(whole.path).video
        if let frameCount { #expect(times.count == frameCount) }
        for rung in made.ladder.rungs {
            let joined = try await made.file(rung.label)
            let verified = try await Verified(joined.path)
            #expect(verified.warnings == "")
            #expect(verified.video == times, "every picture at its own time")
            let likeness = try await Decoded.likeness(joined, whole, width: rung.width, height: rung.height)
            #expect(likeness.count == times.count)
            #expect((likeness.min() ?? 0) > 26, "the pictures are the source's")
        }
        checkGrid(made, rate: source.frameRate ?? 30)
        return made
    }

    /// Rungs have the same segments, which follow each other and begin with the first picture of a cell of 6 s.
    private func checkGrid(_ made: EncodedLadder, rate: Double) {
        let segments = made.segments("480p")
        #expect(segments.first?.startTicks == 0)
        for (one, next) in zip(segments, segments.dropFirst()) { #expect(one.endTicks == next.startTicks) }
        let timescale = Int64(made.parts["480p"]?.first?.timescale ?? 1)
        let cells = segments.map { $0.startTicks / (6 * timescale) }
        #expect(cells == Array(Set(cells)).sorted())
        let lower = made.segments("360p")
        #expect(lower.map(\.startTicks) == segments.map(\.startTicks))
        #expect(lower.map(\.durationTicks) == segments.map(\.durationTicks))
    }

    @Test("closed groups with B-frames: every picture once, at its time, in all rungs")
    func closedGroups() async throws {
        let clip = try await Clip(
            Clip.picture(Self.size, seconds: 14, rate: 25) + Self.x264 + ["-g", "37", "-x264-params", "open-gop=0"])
        let made = try await check(clip, frameCount: 350)
        #expect(made.parts["480p"]?.first?.codec.hasPrefix("avc1.4d") == true)
        #expect(made.segments("480p").map(\.sampleCount) == [150, 150, 50])
    }

    @Test("open groups: pictures before a segment's keyframe are in the part they are shown in")
    func openGroups() async throws {
        let clip = try await Clip(
            [
                "-f", "lavfi", "-i", "testsrc2=size=\(Self.size):rate=30000/1001:duration=14",
            ] + Self.x264 + ["-g", "36", "-x264-params", "open-gop=1:scenecut=0"])
        try await check(clip, frameCount: 420)
    }

    @Test("a variable frame rate with a long still across a border: every picture at its time")
    func variableRate() async throws {
        let clip = try await Clip(
            Clip.picture(Self.size, seconds: 14) + [
                "-vf", "select='not(eq(mod(n,3),1))*not(between(t,4.9,7.7))*lt(mod(n,17),12)'", "-fps_mode", "vfr",
            ] + Self.x264 + ["-g", "20"])
        try await check(clip)
    }

    @Test("a picture every 20 s: a part without one is empty, and the others are not longer for it")
    func sparse() async throws {
        let clip = try await Clip(
            [
                "-f", "lavfi", "-i", "testsrc2=size=\(Self.size):rate=1/20:duration=60",
            ] + Self.x264 + ["-g", "1"])
        let source = try await LadderSource(clip)
        let made = try await EncodedLadder(source, .small(source), starts: [0, 6, 18, 24])
        #expect(made.parts["360p"]?.map(\.sampleCount) == [1, 0, 1, 1])
        let joined = try await made.file("360p")
        #expect(try await Verified(joined.path).video == [0, 20, 40])
        #expect(made.segments("360p").map(\.startTicks) == made.segments("480p").map(\.startTicks))
    }

    @Test("an interlaced source is de-interlaced, a picture for each frame")
    func interlaced() async throws {
        let clip = try await Clip(
            Clip.picture(Self.size, seconds: 14, rate: 50) + ["-vf", "tinterlace=interleave_top"] + Self.x264 + [
                "-flags", "+ilme+ildct", "-x264-params", "tff=1",
            ])
        try await check(clip, frameCount: 350)
    }

    @Test("a rotated source is encoded upright")
    func rotated() async throws {
        let plain = try await Clip(Clip.picture(Self.size, seconds: 2) + Self.x264)
        let turned = try await Clip(["-i", plain.path, "-c", "copy", "-metadata:s:v:0", "rotate=90"])
        let source = try await LadderSource(turned)
        let made = try await EncodedLadder(source, .small(source), starts: [0])
        #expect(made.parts["480p"]?.first?.width == 108)
        #expect(made.parts["480p"]?.first?.height == 192)
        let joined = try await made.file("480p")
        #expect(try await Verified(joined.path).rotation == nil)
        let likeness = try await Decoded.likeness(joined, try source.file(), width: 108, height: 192)
        #expect((likeness.min() ?? 0) > 26)
    }

    @Test("a unit that is cancelled throws, and leaves nothing behind")
    func cancelled() async throws {
        let clip = try await Clip(Clip.picture("640x360", seconds: 12, rate: 60) + ["-c:v", "libx264", "-preset", "ultrafast"])
        let source = try await LadderSource(clip)
        let ladder = LadderPlan.small(source)
        let plan = WorkUnitPlan(segments: source.segments, labels: ladder.rungs.map(\.label), starts: [0])
        let unit = try #require(plan.units.first)
        let folder = Mutex("")
        let reports = AsyncStream<EncodeProgress>.makeStream()
        let task = Task {
            let scratch = try ScratchFolder(in: NSTemporaryDirectory())
            folder.withLock { $0 = scratch.path }
            _ = try await UnitEncoder(MediaTools(threads: 1)).encode(
                unit, of: ladder, in: scratch, source: source.reader(), progress: { reports.continuation.yield($0) })
        }
        for await _ in reports.stream { break }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(!FileManager.default.fileExists(atPath: folder.withLock { $0 }))
    }
}

@Suite struct ProgressReaderTests {
    @Test("reports come whole from pieces of any length, and never go back")
    func pieces() {
        let text = "frame=12\nfps=24.00\nspeed=  1.5x\nprogress=continue\nframe=10\nspeed=N/A\nprogress=end\n"
        for length in [1, 5, 1000] {
            var reader = ProgressReader(frameCount: 24)
            var reports: [EncodeProgress] = []
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                if let report = reader.feed(Array(rest.prefix(length))) { reports.append(report) }
                rest = rest.dropFirst(length)
            }
            if length < 1000 {
                #expect(reports.first == EncodeProgress(frame: 12, framesPerSecond: 24, speed: 1.5, fraction: 0.5))
            }
            #expect(reports.last?.fraction == 0.5)
        }
    }
}
