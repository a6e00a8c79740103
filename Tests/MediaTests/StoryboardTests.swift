import Testing

@testable import Media

@Suite struct StoryboardTests {
    @Test("cues cover the video without a gap, and their tiles lie in the sprite")
    func cues() {
        let board = Storyboard(width: 1920, height: 1080, durationSeconds: 25.5)
        #expect((board.tileCount, board.columns, board.rows) == (13, 10, 2))
        let lines = board.webVTT(sprite: "storyboard.jpg").split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.prefix(4) == ["WEBVTT", "", "00:00:00.000 --> 00:00:02.000", "storyboard.jpg#xywh=0,0,160,90"])
        #expect(lines.contains("00:00:20.000 --> 00:00:22.000"))
        #expect(lines.contains("storyboard.jpg#xywh=0,90,160,90"))
        #expect(lines.contains("00:00:24.000 --> 00:00:25.500"))
    }

    @Test("a long video has a hundred tiles, an upright one upright tiles, an empty one a single tile")
    func sizes() {
        let long = Storyboard(width: 1920, height: 800, durationSeconds: 7200)
        #expect((long.tileCount, long.intervalSeconds) == (100, 72))
        let upright = Storyboard(width: 1080, height: 1920, durationSeconds: 60)
        #expect((upright.tileWidth, upright.tileHeight) == (90, 160))
        #expect(Storyboard(width: 0, height: 0, durationSeconds: .nan).tileCount == 1)
    }

    @Test("the sprite is one JPEG of all tiles")
    func sprite() async throws {
        let clip = try await Clip(Clip.picture("320x180", seconds: 25, rate: 5) + Clip.h264)
        let info = try await MediaProbe().examine(clip.path)
        let board = Storyboard(width: 320, height: 180, durationSeconds: 25)
        let jpeg = try await RenditionProducer(MediaTools()).sprite(clip.path, info, board)
        #expect(JPEG.size(jpeg) == (1600, 180))
    }
}
