import Base
import Jobs
import Media
import MetadataAPI
import Testing

@testable import Streaming

/// What a player is shown of renditions that are made part by part.
@Suite struct LadderTests {
    private func layout(video parts: [Int], of count: Int, sound: Bool) throws -> VideoLayout {
        let fake = FakeVideo()
        func rendition(_ name: String, _ kind: UnitTask.Kind, _ parts: [Int], _ count: Int) throws
            -> LadderRenditionMessage
        {
            LadderRenditionMessage(
                label: try #require(RungLabel(name)), kind: kind, width: kind == .video ? 854 : 0,
                height: kind == .video ? 480 : 0, frameRate: kind == .video ? 25 : nil,
                codecs: kind == .video ? "avc1.4d401e" : "mp4a.40.2",
                initialization: SHA256Digest(String(repeating: "5a", count: 32)), partCount: count,
                parts: try parts.map { number in
                    RenditionPartMessage(
                        number: number, stream: try #require(ChunkStream("\(name).000\(number).1")),
                        initializationBytes: 10, frameCount: 150,
                        segments: [
                            SegmentMessage(
                                offsetBytes: 10, sizeBytes: 75_000, startSec: Double(number) * 6, durationSec: 6)
                        ])
                })
        }
        let plain = fake.layoutNow
        return VideoLayout(
            video: plain.video, original: plain.original, renditions: plain.renditions,
            ladder: [try rendition("480p", .video, parts, count), try rendition("audio", .audio, sound ? [0] : [], 1)],
            streams: plain.streams)
    }

    @Test("a rendition grows as an event up to the first gap, and is whole in the end")
    func growing() throws {
        let growing = try layout(video: [0, 1, 3], of: 4, sound: true)
        let event = try growing.rendition("480p").mediaPlaylist
        #expect(
            event == """
                #EXTM3U
                #EXT-X-VERSION:7
                #EXT-X-INDEPENDENT-SEGMENTS
                #EXT-X-TARGETDURATION:6
                #EXT-X-MEDIA-SEQUENCE:0
                #EXT-X-PLAYLIST-TYPE:EVENT
                #EXT-X-MAP:URI="init.mp4"
                #EXTINF:6.000000,
                segment-00000.m4s
                #EXTINF:6.000000,
                segment-00001.m4s

                """)
        let whole = try layout(video: [0, 1, 2, 3], of: 4, sound: true).rendition("480p").mediaPlaylist
        #expect(whole.hasPrefix(event.replacing("EVENT", with: "VOD")) && whole.hasSuffix("\n#EXT-X-ENDLIST\n"))
    }

    @Test("a segment is that of its part; the first part's initialization segment is all parts'")
    func places() throws {
        let rendition = try layout(video: [0, 1], of: 2, sound: true).rendition("480p")
        #expect(rendition.segments.map(\.place.stream.description) == ["480p.0000.1", "480p.0001.1"])
        #expect(rendition.initialization.stream.description == "480p.0000.1")
    }

    @Test("only what is complete, and has its sound, is offered; its rates are measured and include the sound")
    func master() throws {
        #expect(try layout(video: [0], of: 2, sound: true).offered.map(\.label) == ["source"])
        #expect(try layout(video: [0, 1], of: 2, sound: false).offered.map(\.label) == ["source"])
        let text = try layout(video: [0, 1], of: 2, sound: true).masterPlaylist
        let sound = #"#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Original",DEFAULT=YES,AUTOSELECT=YES,"#
        #expect(text.contains(sound + #"CHANNELS="2",URI="audio/playlist.m3u8""#))
        let rung =
            #"#EXT-X-STREAM-INF:BANDWIDTH=200000,AVERAGE-BANDWIDTH=200000,RESOLUTION=854x480,"#
            + #"CODECS="avc1.4d401e,mp4a.40.2",FRAME-RATE=25.000,AUDIO="audio""#
        #expect(text.hasSuffix("\n\(rung)\n480p/playlist.m3u8\n"))
        #expect(text.contains("\nsource/playlist.m3u8\n"))
    }

    @Test("a DASH manifest offers what the video was published with until a rung is whole, and then rungs and sound")
    func dash() throws {
        func sets(_ layout: VideoLayout) -> [[String]] { DASHLayout(layout).sets.map { $0.renditions.map(\.label) } }
        let before = try layout(video: [0], of: 2, sound: true)
        #expect(sets(before) == [["source"]])
        #expect(DASHLayout(before).sets.map(\.content) == [.multiplexed])
        #expect(sets(try layout(video: [0, 1], of: 2, sound: false)) == [["source"]])
        let whole = try layout(video: [0, 1], of: 2, sound: true)
        #expect(sets(whole) == [["480p"], ["audio"]])
        #expect(DASHLayout(whole).sets.map(\.content) == [.video, .audio])
    }

    @Test("what is still to come says so")
    func coming() throws {
        let layout = try layout(video: [1], of: 2, sound: true)
        #expect { _ = try layout.rendition("480p") } throws: { "\($0)".contains("is not encoded yet") }
        #expect { _ = try layout.rendition("999p") } throws: { "\($0)".contains("it has: source, audio") }
    }
}
