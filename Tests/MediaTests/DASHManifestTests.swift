import Media
import Testing

@Suite struct DASHManifestTests {
    private func timeline(_ timescale: Int, _ segments: [(Double, Double)]) -> DASHManifest.Timeline {
        DASHManifest.Timeline(timescale: timescale, segments: segments.map { (startSec: $0.0, durationSec: $0.1) })
    }

    private func representation(
        _ id: String, frameRate: Double? = nil, codecs: String = "avc1.4d401e",
        timeline: DASHManifest.Timeline
    ) -> DASHManifest.Representation {
        DASHManifest.Representation(
            id: id, bandwidth: 1_100_000, width: 640, height: 360, codecs: codecs, frameRate: frameRate,
            initializationURI: "\(id)/init.mp4", mediaTemplate: "\(id)/segment-$Number%05d$.m4s", timeline: timeline)
    }

    /// The elements `S` of a manifest's timelines.
    private func runs(_ timeline: DASHManifest.Timeline) -> [String] {
        text(representation("a", timeline: timeline)).split(separator: "\n").map { $0.trimmingPrefix { $0 == " " } }
            .filter { $0.hasPrefix("<S ") }.map(String.init)
    }

    private func text(_ representation: DASHManifest.Representation) -> String {
        DASHManifest.text(
            of: [DASHManifest.AdaptationSet(content: .video, isIndependent: true, representations: [representation])])
    }

    @Test("rungs and their sound are two sets, each with its own ticks")
    func ladder() {
        let picture = timeline(12_800, [(0, 6), (6, 6), (12, 0.48)])
        let sound = DASHManifest.Representation(
            id: "audio", bandwidth: 131_000, width: 0, height: 0, codecs: "mp4a.40.2", frameRate: nil, channels: 2,
            initializationURI: "audio/init.mp4", mediaTemplate: "audio/segment-$Number%05d$.m4s",
            timeline: timeline(44_100, [(0, 264_192 / 44_100), (264_192 / 44_100, 6.5)]))
        let text = DASHManifest.text(of: [
            DASHManifest.AdaptationSet(
                content: .video, isIndependent: true,
                representations: [
                    representation("480p", frameRate: 25, timeline: picture),
                    representation("360p", frameRate: 30000.0 / 1001, timeline: picture),
                ]),
            DASHManifest.AdaptationSet(content: .audio, isIndependent: true, representations: [sound]),
        ])
        #expect(
            text == """
                <?xml version="1.0" encoding="UTF-8"?>
                <MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" type="static" mediaPresentationDuration="PT12.491S" minBufferTime="PT6.500S" maxSegmentDuration="PT6.500S">
                  <Period id="0" start="PT0S">
                    <AdaptationSet id="0" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1">
                      <Representation id="480p" codecs="avc1.4d401e" bandwidth="1100000" width="640" height="360" frameRate="25">
                        <SegmentTemplate timescale="12800" startNumber="0" initialization="480p/init.mp4" media="480p/segment-$Number%05d$.m4s">
                          <SegmentTimeline>
                            <S t="0" d="76800" r="1"/>
                            <S d="6144"/>
                          </SegmentTimeline>
                        </SegmentTemplate>
                      </Representation>
                      <Representation id="360p" codecs="avc1.4d401e" bandwidth="1100000" width="640" height="360" frameRate="30000/1001">
                        <SegmentTemplate timescale="12800" startNumber="0" initialization="360p/init.mp4" media="360p/segment-$Number%05d$.m4s">
                          <SegmentTimeline>
                            <S t="0" d="76800" r="1"/>
                            <S d="6144"/>
                          </SegmentTimeline>
                        </SegmentTemplate>
                      </Representation>
                    </AdaptationSet>
                    <AdaptationSet id="1" contentType="audio" mimeType="audio/mp4" segmentAlignment="true" startWithSAP="1">
                      <Representation id="audio" codecs="mp4a.40.2" bandwidth="131000">
                        <AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
                        <SegmentTemplate timescale="44100" startNumber="0" initialization="audio/init.mp4" media="audio/segment-$Number%05d$.m4s">
                          <SegmentTimeline>
                            <S t="0" d="264192"/>
                            <S d="286650"/>
                          </SegmentTimeline>
                        </SegmentTemplate>
                      </Representation>
                    </AdaptationSet>
                  </Period>
                </MPD>

                """)
    }

    @Test("picture and sound in one are a set of both kinds of content")
    func multiplexed() {
        let source = representation("source", codecs: "avc1.640028,mp4a.40.2", timeline: timeline(1000, [(0, 5)]))
        let text = DASHManifest.text(
            of: [DASHManifest.AdaptationSet(content: .multiplexed, isIndependent: false, representations: [source])])
        let set = """
                <AdaptationSet id="0" mimeType="video/mp4" segmentAlignment="true">
                  <ContentComponent contentType="video"/>
                  <ContentComponent contentType="audio"/>
                  <Representation id="source" codecs="avc1.640028,mp4a.40.2"
            """
        #expect(text.contains(set))
    }

    @Test("ticks are those of the track, however long the video")
    func exact() {
        // 30000/1001 frames a second, 180 frames a segment: no whole number of milliseconds.
        let segments = (0..<10_000).map { (Double($0 * 180_180) / 30_000, 180_180.0 / 30_000) }
        #expect(runs(timeline(30_000, segments)) == [#"<S t="0" d="180180" r="9999"/>"#])
    }

    @Test("a segment lasts until the next begins; one that begins late says when")
    func gaps() {
        #expect(runs(timeline(1000, [(2, 1.5), (4, 2)])) == [#"<S t="2000" d="2000" r="1"/>"#])
        #expect(runs(timeline(1000, [])) == [])
    }

    @Test("times that are no times do no harm", arguments: [Double.nan, .infinity, -.infinity, 1e300, -5])
    func absurd(time: Double) {
        let runs = runs(timeline(90_000, [(0, 6), (time, 6), (12, time)]))
        #expect(!runs.isEmpty && runs.allSatisfy { !$0.contains(#"d="0""#) && !$0.contains("-") })
    }

    @Test(
        "a frame rate is a whole number or a fraction",
        arguments: [
            (24.0, "24"), (24000.0 / 1001, "24000/1001"), (59.94, "60000/1001"), (29.97, "30000/1001"),
            (12.5, "12500/1000"),
        ])
    func frameRates(rate: Double, written: String) {
        let text = text(representation("a", frameRate: rate, timeline: timeline(1000, [(0, 1)])))
        #expect(text.contains(#"frameRate="\#(written)""#))
    }

    @Test("what would end an attribute is escaped")
    func escaping() {
        let text = text(representation("a", codecs: "\"<&", timeline: timeline(1000, [(0, 1)])))
        #expect(text.contains("codecs=\"&quot;&lt;&amp;\""))
    }
}
