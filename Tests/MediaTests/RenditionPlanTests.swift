import Processes
import Testing

@testable import Media

@Suite struct RenditionPlanTests {
    private func info(_ video: VideoTrack, audio: AudioTrack? = nil, container: String = "mov,mp4") -> MediaInfo {
        MediaInfo(container: container, durationSeconds: 10, sizeBytes: 1000, video: video, audio: audio)
    }

    private let h264 = VideoTrack(codec: "h264", profile: "High", width: 1920, height: 1080)

    @Test("H.264 and AAC are copied")
    func copy() {
        let plan = RenditionPlan(for: info(h264, audio: AudioTrack(codec: "aac", profile: "LC")))
        #expect(plan.isCopy)
        #expect((plan.width, plan.height) == (1920, 1080))
    }

    @Test(
        "what browsers do not play is encoded",
        arguments: [
            VideoTrack(codec: "h264", profile: "High 10", pixelFormat: "yuv420p10le", width: 640, height: 360),
            VideoTrack(codec: "h264", profile: "High 4:2:2", pixelFormat: "yuv422p", width: 640, height: 360),
            VideoTrack(codec: "hevc", profile: "Main", width: 640, height: 360),
            VideoTrack(codec: "h264", profile: "High", width: 640, height: 360, beginsBetweenKeyframes: true),
        ])
    func encode(video: VideoTrack) {
        #expect(RenditionPlan(for: info(video)).video != .copy)
    }

    @Test("H.264 out of a container without times is encoded")
    func untimed() {
        #expect(RenditionPlan(for: info(h264, container: "avi")).video != .copy)
        #expect(RenditionPlan(for: info(h264, container: "matroska,webm")).video == .copy)
    }

    @Test("only the track that needs it is encoded")
    func mixed() {
        let plan = RenditionPlan(for: info(h264, audio: AudioTrack(codec: "opus")))
        #expect(plan.video == .copy)
        #expect(plan.audio == .encode)
        #expect(!plan.isCopy)
    }

    @Test(
        "an encode is even, upright, in square pixels, no larger than 1080p and never enlarged",
        arguments: [
            (VideoTrack(codec: "hevc", width: 3840, height: 2160), 1920, 1080),
            (VideoTrack(codec: "hevc", width: 3840, height: 2160, rotation: 90), 1080, 1920),
            (VideoTrack(codec: "vp9", width: 641, height: 361), 642, 362),
            (VideoTrack(codec: "mpeg2video", width: 720, height: 576, sampleAspect: 64.0 / 45), 1024, 576),
            (VideoTrack(codec: "vp9", width: 1, height: 1), 2, 2),
        ])
    func size(track: VideoTrack, width: Int, height: Int) {
        let encoding = VideoEncoding(for: track)
        #expect((encoding.width, encoding.height) == (width, height))
    }

    @Test("the command confines ffmpeg to the file, maps two tracks and drops the rest")
    func command() {
        let plan = RenditionPlan(for: info(h264, audio: AudioTrack(codec: "aac", profile: "LC")))
        let arguments = FFmpegCommands.rendition(of: "/x/-i.upload", plan, tools: MediaTools()).arguments
        for pair in [
            ["-protocol_whitelist", "file,pipe"], ["-i", "file:/x/-i.upload"], ["-map", "0:0"], ["-map", "0:1"],
            ["-map_metadata", "-1"],
        ] {
            #expect(zip(arguments, arguments.dropFirst()).contains { [$0, $1] == pair })
        }
        #expect(arguments.contains("-dn") && arguments.contains("-sn") && arguments.contains("-nostdin"))
        let whitelist = MediaTools.demuxers
        for name in ["hls", "dash", "concat", "sdp", "image2", "lavfi", "tty"] { #expect(!whitelist.contains(name)) }
    }

    @Test("an interlaced source is deinterlaced, and only when it is encoded")
    func interlaced() {
        let track = VideoTrack(codec: "mpeg2video", width: 720, height: 576, isInterlaced: true)
        let encoded = FFmpegCommands.rendition(of: "x", RenditionPlan(for: info(track)), tools: MediaTools())
        #expect(encoded.arguments.contains { $0.contains("yadif") })
        var copied = h264
        copied.isInterlaced = true
        #expect(RenditionPlan(for: info(copied)).video == .copy)
    }
}
