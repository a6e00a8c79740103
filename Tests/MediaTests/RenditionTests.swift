import Foundation
import Processes
import Testing

@testable import Media

/// Real ffmpeg on short clips: what it makes must be what the plan promised.
@Suite struct RenditionTests {
    /// One frame at 30 a second.
    private let frame = 1.0 / 30

    private func check(_ clip: Clip, isCopy: Bool) async throws -> (source: Verified, made: Verified, Produced) {
        let info = try await MediaProbe().examine(clip.path)
        let plan = RenditionPlan(for: info)
        #expect(plan.isCopy == isCopy)
        let produced = try await Produced(clip.path, plan)
        let source = try await Verified(clip.path)
        let made = try await produced.verified()
        #expect(made.warnings == "")
        #expect(made.codecs["video"] == "h264")
        #expect(made.codecs["audio"] == (source.codecs["audio"] == nil ? nil : "aac"))
        let span = produced.fragments.reduce(0) { $0 + ($1.frameCount > 0 ? $1.durationSeconds : 0) }
        let sourceSpan = (source.video.last ?? 0) - (source.video.first ?? 0) + frame
        #expect(abs(span - sourceSpan) <= 2 * frame)
        if !source.audio.isEmpty { #expect(abs(made.audioLead - source.audioLead) <= frame) }
        return (source, made, produced)
    }

    @Test("H.264 with B-frames and AAC is copied: every frame, at its own time, in sync")
    func copied() async throws {
        let (source, made, produced) = try await check(try await Clip.plain(), isCopy: true)
        #expect(made.video == source.video)
        #expect(made.audio.count == source.audio.count)
        #expect(produced.initialization?.codecs == "avc1.64000d,mp4a.40.2")
        #expect(produced.initialization?.video?.width == 320)
        #expect(produced.fragments.reduce(0) { $0 + $1.frameCount } == source.video.count)
        #expect(produced.fragments.first?.startSeconds == 0)
        #expect(produced.fragments.allSatisfy { $0.startsWithKeyframe })
    }

    @Test("a video without sound is copied without sound")
    func silent() async throws {
        let (source, made, produced) = try await check(try await Clip(Clip.picture() + Clip.h264), isCopy: true)
        #expect(made.video == source.video)
        #expect(produced.initialization?.codecs == "avc1.64000d")
    }

    @Test("a variable frame rate keeps every frame's time")
    func variableRate() async throws {
        let clip = try await Clip(
            Clip.picture() + Clip.sound() + ["-vf", "select='not(eq(mod(n,3),1))'", "-fps_mode", "vfr"] + Clip.h264
                + ["-c:a", "aac"])
        let (source, made, _) = try await check(clip, isCopy: true)
        #expect(made.video == source.video)
    }

    @Test("a variable frame rate that must be encoded keeps every frame's time as well")
    func variableRateEncoded() async throws {
        let clip = try await Clip(
            Clip.picture() + ["-vf", "select='not(eq(mod(n,3),1))'", "-fps_mode", "vfr", "-c:v", "mpeg4"],
            name: "clip.mkv")
        let (source, made, _) = try await check(clip, isCopy: false)
        #expect(made.video.count == source.video.count)
        #expect(zip(made.video, source.video).allSatisfy { abs($0 - $1) < 0.002 })
    }

    @Test("a rotated phone video is copied and still says that it is rotated")
    func rotated() async throws {
        let source = try await Clip.plain()
        let turned = try await Clip(["-i", source.path, "-c", "copy", "-metadata:s:v:0", "rotate=90"])
        let (_, made, _) = try await check(turned, isCopy: true)
        #expect(made.rotation == 90)
    }

    @Test("10-bit HEVC with Opus becomes H.264 and AAC, every frame")
    func hevc() async throws {
        let clip = try await Clip(
            Clip.picture(seconds: 2) + Clip.sound(seconds: 2) + [
                "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none", "-pix_fmt",
                "yuv420p10le", "-c:a", "libopus",
            ])
        let (source, made, produced) = try await check(clip, isCopy: false)
        #expect(made.video.count == source.video.count)
        #expect(produced.initialization?.codecs.hasPrefix("avc1.64") == true)
    }

    @Test("VP9 and Opus in WebM are encoded")
    func webm() async throws {
        let clip = try await Clip(
            Clip.picture(seconds: 2) + Clip.sound(seconds: 2) + [
                "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus",
            ], name: "clip.webm")
        _ = try await check(clip, isCopy: false)
    }

    @Test("H.264 with MP3 keeps its picture bit for bit and gets new sound")
    func mixed() async throws {
        let clip = try await Clip(Clip.picture() + Clip.sound() + Clip.h264 + ["-c:a", "libmp3lame"], name: "clip.mkv")
        let (source, made, _) = try await check(clip, isCopy: false)
        #expect(made.video.count == source.video.count)
    }

    @Test("a transport stream is copied, its ADTS headers taken off")
    func transportStream() async throws {
        let (source, made, _) = try await check(try await Clip.plain(name: "clip.ts"), isCopy: true)
        #expect(made.video.count == source.video.count)
    }

    @Test("odd dimensions become even, and the picture is encoded once")
    func oddSize() async throws {
        let clip = try await Clip(
            Clip.picture("321x181", seconds: 1) + ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p"])
        let (_, _, produced) = try await check(clip, isCopy: false)
        let video = try #require(produced.initialization?.video)
        #expect(video.width % 2 == 0 && video.height % 2 == 0)
        #expect(abs(video.width - 321) <= 1 && abs(video.height - 181) <= 1)
    }

    @Test("a source of keyframes only does not become a fragment a frame")
    func allIntra() async throws {
        let clip = try await Clip(
            Clip.picture(seconds: 4) + ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "1"])
        let (source, made, produced) = try await check(clip, isCopy: true)
        #expect(made.video == source.video)
        #expect(produced.fragments.count <= 8)
    }

    @Test("a source with one keyframe still comes in fragments of ten seconds")
    func giantGroup() async throws {
        let clip = try await Clip(
            Clip.picture("64x64", seconds: 25, rate: 10) + [
                "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "1000",
            ])
        let (_, _, produced) = try await check(clip, isCopy: true)
        #expect(produced.fragments.count >= 3)
        #expect(produced.fragments.filter(\.startsWithKeyframe).count == 1)
        #expect(produced.fragments.allSatisfy { $0.durationSeconds < 10.5 })
    }

    @Test("a video cut between keyframes begins with a keyframe after the encode, and shows nothing that was cut")
    func trimmed() async throws {
        let source = try await Clip.plain()
        let clip = try await Clip(["-ss", "0.5", "-i", source.path, "-c", "copy"])
        let produced = try await Produced(clip.path)
        let made = try await produced.verified()
        #expect(produced.fragments.first?.startsWithKeyframe == true)
        #expect(abs((made.video.first ?? -1)) < 0.001)
        #expect(made.video.count == 75)
        #expect(made.warnings == "")
    }

    @Test("a damaged file fails with a sentence, and not silently short")
    func damaged() async throws {
        let whole = try await Clip.plain(name: "clip.mkv")
        let info = try await MediaProbe().examine(whole.path)
        let empty = try Clip(bytes: Array(try whole.bytes.prefix(600)), name: "clip.mkv")
        await #expect(throws: MediaError.self) {
            try await RenditionProducer(MediaTools()).produce(empty.path, RenditionPlan(for: info)) { _ in }
        }
    }

    @Test("the thumbnail is an upright JPEG no wider than 640")
    func thumbnail() async throws {
        let source = try await Clip(Clip.picture("1280x720", seconds: 2) + Clip.h264)
        let turned = try await Clip(["-i", source.path, "-c", "copy", "-metadata:s:v:0", "rotate=90"])
        for (clip, size) in [(source, (640, 360)), (turned, (640, 1138))] {
            let info = try await MediaProbe().examine(clip.path)
            let jpeg = try await RenditionProducer(MediaTools()).thumbnail(clip.path, info)
            #expect(jpeg.starts(with: [0xff, 0xd8]))
            #expect(JPEG.size(jpeg) == size)
        }
    }

    @Test(
        "high dynamic range is brought down: reference white is bright, and labelled as what it is",
        arguments: [("smpte2084", "0x949494"), ("arib-std-b67", "0xbfbfbf")])
    func highRange(transfer: String, white: String) async throws {
        let clip = try await Clip([
            "-f", "lavfi", "-i", "color=c=\(white):size=128x72:rate=10:duration=0.5,format=yuv420p10le", "-c:v", "libx265",
            "-preset", "ultrafast", "-x265-params",
            "log-level=none:transfer=\(transfer):colorprim=bt2020:colormatrix=bt2020nc",
        ])
        let info = try await MediaProbe().examine(clip.path)
        #expect(info.video.dynamicRange != .standard)
        let made = try Clip(bytes: try await Produced(clip.path).bytes)
        #expect(try await MediaProbe().examine(made.path).video.dynamicRange == .standard)
        let pixels = try await ChildProcess.run(
            Command(
                "ffmpeg",
                [
                    "-nostdin", "-v", "error", "-i", made.path, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gray",
                    "pipe:1",
                ]), outputBytesMax: 100_000)
        let mean = pixels.output.reduce(0) { $0 + Int($1) } / max(1, pixels.output.count)
        #expect((165...240).contains(mean), "\(mean)")
        #expect(try await RenditionProducer(MediaTools()).thumbnail(clip.path, info).starts(with: [0xff, 0xd8]))
    }

    @Test("a clip shorter than the thumbnail's place still has one")
    func shortThumbnail() async throws {
        let clip = try await Clip(Clip.picture(seconds: 0.04) + Clip.h264)
        var info = try await MediaProbe().examine(clip.path)
        info.durationSeconds = nil
        #expect(try await RenditionProducer(MediaTools()).thumbnail(clip.path, info).count > 100)
    }
}

/// The size that a JPEG's start of frame says.
enum JPEG {
    static func size(_ bytes: [UInt8]) -> (Int, Int) {
        var offset = 2
        while offset + 9 < bytes.count {
            let length = Int(bytes[offset + 2]) << 8 | Int(bytes[offset + 3])
            if bytes[offset + 1] == 0xc0 {
                return (
                    Int(bytes[offset + 7]) << 8 | Int(bytes[offset + 8]),
                    Int(bytes[offset + 5]) << 8 | Int(bytes[offset + 6])
                )
            }
            offset += 2 + length
        }
        return (0, 0)
    }
}
