import Base
import Foundation
import Processes
import Testing

@testable import Media

@Suite struct AudioEncoderTests {
    private func encode(_ clip: Clip, bitsPerSecond: Int = 128_000, language: String? = nil) async throws
        -> (source: LadderSource, stream: EncodedStream, file: Clip)?
    {
        let source = try await LadderSource(clip)
        let scratch = try ScratchFolder(in: NSTemporaryDirectory())
        let made = try await AudioEncoder(MediaTools()).encode(
            bitsPerSecond: bitsPerSecond, language: language, in: scratch, source: source.reader())
        guard let stream = made else { return nil }
        try await stream.verify(SegmentCheck.Expectation(), tools: MediaTools())
        var bytes = stream.initialization
        for segment in stream.segments { bytes += try await stream.bytes(of: segment) }
        return (source, stream, try Clip(bytes: bytes))
    }

    private static let picture = Clip.picture("64x64", seconds: 14, rate: 10) + ["-c:v", "libx264", "-preset", "ultrafast"]

    /// Segments follow each other and are 6 s long to a packet.
    private func checkGrid(_ stream: EncodedStream, packet: Double = 1024.0 / 44100) {
        #expect(stream.segments.count == 3)
        #expect(stream.segments.first?.startTicks == 0)
        for (one, next) in zip(stream.segments, stream.segments.dropFirst()) {
            #expect(one.endTicks == next.startTicks)
            #expect(abs(stream.seconds(one.durationTicks) - 6) <= packet)
        }
    }

    @Test("stereo AAC is taken packet by packet: it sounds like the source, sample by sample")
    func copied() async throws {
        let clip = try await Clip(
            ["-f", "lavfi", "-i", "aevalsrc=sin(440*2*PI*t)*t/20|sin(700*2*PI*t)/3:d=14"] + Self.picture + [
                "-c:a", "aac", "-b:a", "128k",
            ])
        let made = try #require(try await encode(clip, language: "deu"))
        checkGrid(made.stream)
        let ours = try await Decoded.sound(made.file)
        let theirs = try await Decoded.sound(try made.source.file())
        #expect(ours == theirs)
        #expect(ours.count > 13 * 44100 * 2)
    }

    @Test(
        "other sound becomes stereo AAC-LC in one run, in time with the source to a sample",
        arguments: [
            ["-c:a", "aac", "-ac", "1"], ["-c:a", "libmp3lame", "-ac", "2", "-ar", "48000"],
            ["-c:a", "aac", "-ac", "2", "-b:a", "400k"],
        ])
    func encoded(codec: [String]) async throws {
        let clip = try await Clip(
            ["-f", "lavfi", "-i", "sine=frequency=440:duration=14"] + Self.picture + codec, name: "clip.mkv")
        let made = try #require(try await encode(clip, bitsPerSecond: 96_000))
        checkGrid(made.stream)
        #expect(made.stream.codec == "mp4a.40.2")
        let wanted = "aresample=48000,aformat=channel_layouts=mono"
        let ours = try await Decoded.sound(made.file, filters: wanted)
        let theirs = try await Decoded.sound(try made.source.file(), filters: wanted)
        #expect(abs(ours.count - theirs.count) <= 3 * 1024)
        // A sine of 440 Hz that is late by a single packet of 1024 samples would differ by its own size.
        let pairs = zip(ours, theirs).dropFirst(2048).prefix(600_000)
        let (difference, power) = pairs.reduce(into: (0.0, 0.0)) { sums, pair in
            sums.0 += pow(Double(pair.0) - Double(pair.1), 2)
            sums.1 += pow(Double(pair.1), 2)
        }
        #expect(power > 0 && difference < power / 100)
    }

    @Test("sound that begins later than the picture stays late")
    func late() async throws {
        let clip = try await Clip(
            Clip.picture("64x64", seconds: 14, rate: 10) + [
                "-itsoffset", "1.5", "-f", "lavfi", "-i", "sine=frequency=440:duration=8", "-ac", "2", "-map", "0", "-map",
                "1", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac",
            ])
        let made = try #require(try await encode(clip))
        let start = made.stream.seconds(made.stream.segments.first?.startTicks ?? 0)
        #expect(abs(start - 1.5) < 0.05)
    }

    @Test("a video without sound has no sound rendition")
    func silent() async throws {
        #expect(try await encode(try await Clip(Self.picture)) == nil)
    }
}
