import Media
import Testing

@Suite struct PlaylistTests {
    @Test("a master playlist lists its variants with all that a player chooses by")
    func master() {
        let text = HLSPlaylist.master(variants: [
            HLSPlaylist.Variant(
                uri: "source/playlist.m3u8", bandwidth: 8_400_000, averageBandwidth: 8_012_345, width: 1920,
                height: 1080, codecs: "avc1.640028,mp4a.40.2", frameRate: 30000.0 / 1001),
            HLSPlaylist.Variant(
                uri: "360p/playlist.m3u8", bandwidth: 1_100_000, averageBandwidth: 996_000, width: 640, height: 360,
                codecs: "avc1.4d401e", frameRate: nil),
            HLSPlaylist.Variant(
                uri: "audio/playlist.m3u8", bandwidth: 130_000, averageBandwidth: 128_000, width: 0, height: 0,
                codecs: "mp4a.40.2", frameRate: nil),
        ])
        #expect(
            text == """
                #EXTM3U
                #EXT-X-VERSION:7
                #EXT-X-INDEPENDENT-SEGMENTS
                #EXT-X-STREAM-INF:BANDWIDTH=8400000,AVERAGE-BANDWIDTH=8012345,RESOLUTION=1920x1080,CODECS="avc1.640028,mp4a.40.2",FRAME-RATE=29.970
                source/playlist.m3u8
                #EXT-X-STREAM-INF:BANDWIDTH=1100000,AVERAGE-BANDWIDTH=996000,RESOLUTION=640x360,CODECS="avc1.4d401e"
                360p/playlist.m3u8
                #EXT-X-STREAM-INF:BANDWIDTH=130000,AVERAGE-BANDWIDTH=128000,CODECS="mp4a.40.2"
                audio/playlist.m3u8

                """)
    }

    @Test("a media playlist has the real durations, and a target that none of them exceeds")
    func media() {
        let text = HLSPlaylist.media(
            initializationURI: "init.mp4",
            segments: [
                HLSPlaylist.Segment(uri: "segment-00000.m4s", durationSec: 6.006),
                HLSPlaylist.Segment(uri: "segment-00001.m4s", durationSec: 5.9726393),
                HLSPlaylist.Segment(uri: "segment-00002.m4s", durationSec: 0.5),
            ])
        #expect(
            text == """
                #EXTM3U
                #EXT-X-VERSION:7
                #EXT-X-INDEPENDENT-SEGMENTS
                #EXT-X-TARGETDURATION:7
                #EXT-X-MEDIA-SEQUENCE:0
                #EXT-X-PLAYLIST-TYPE:VOD
                #EXT-X-MAP:URI="init.mp4"
                #EXTINF:6.006000,
                segment-00000.m4s
                #EXTINF:5.972639,
                segment-00001.m4s
                #EXTINF:0.500000,
                segment-00002.m4s
                #EXT-X-ENDLIST

                """)
    }

    @Test(
        "the target duration is a whole number from 1 on, whatever the segments say",
        arguments: [
            ([], 1), ([0.2], 1), ([1], 1), ([1.000001], 2), ([4, 10, 6], 10), ([Double.infinity], 1), ([Double.nan], 1),
        ] as [([Double], Int)])
    func target(durations: [Double], target: Int) {
        let segments = durations.map { HLSPlaylist.Segment(uri: "s", durationSec: $0) }
        let text = HLSPlaylist.media(initializationURI: "i", segments: segments)
        #expect(text.contains("#EXT-X-TARGETDURATION:\(target)\n"))
        #expect(!text.contains("inf,") && !text.contains("nan"))
    }

    @Test("what a catalog says cannot break out of a quoted attribute")
    func quoting() {
        let variant = HLSPlaylist.Variant(
            uri: "u", bandwidth: 1, averageBandwidth: 1, width: 0, height: 0, codecs: "a\"\n#EXT-X-EVIL:\r\nb",
            frameRate: .nan)
        let text = HLSPlaylist.master(variants: [variant])
        #expect(text.hasSuffix("AVERAGE-BANDWIDTH=1,CODECS=\"a#EXT-X-EVIL:b\"\nu\n"))
    }
}
