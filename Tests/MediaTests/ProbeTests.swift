import Foundation
import Testing

@testable import Media

@Suite struct ProbeTests {
    private func refusal(_ clip: Clip) async throws -> MediaError {
        do {
            let info = try await MediaProbe().examine(clip.path)
            Issue.record("taken as \(info)")
            throw CancellationError()
        } catch let error as MediaError {
            return error
        }
    }

    @Test("a plain video is told as it is")
    func plain() async throws {
        let clip = try await Clip.plain()
        let info = try await MediaProbe().examine(clip.path)
        #expect(info.video.codec == "h264")
        #expect(info.video.profile == "High")
        #expect(info.video.pixelFormat == "yuv420p")
        #expect(info.video.displaySize == (320, 180))
        #expect(info.video.frameRateAverage == 30)
        #expect(info.video.isInterlaced == false)
        #expect(info.video.beginsBetweenKeyframes == false)
        #expect(abs((info.durationSeconds ?? 0) - 3) < 0.1)
        #expect(info.audio?.codec == "aac")
        #expect(info.audio?.channels == 1)
    }

    @Test("an empty file, a text, and a cut-off file each get their own words")
    func badFiles() async throws {
        let empty = try await refusal(try Clip(bytes: []))
        #expect(empty.code == .empty)
        #expect(empty.message == "the file is empty")

        let text = try await refusal(try Clip(bytes: Array("hello world, this is no video\n".utf8)))
        #expect(text.code == .notAVideo)
        #expect(text.message.hasPrefix("the file is not a video"))

        let whole = try await Clip.plain().bytes
        let cut = try await refusal(try Clip(bytes: Array(whole.prefix(whole.count / 2))))
        #expect(cut.code == .truncated)
        #expect(cut.message.contains("ends early (moov atom not found)"))
    }

    @Test("a file whose header stands before media that were cut off is refused too")
    func cutAfterHeader() async throws {
        let whole = try await Clip.plain(extra: ["-movflags", "+faststart"]).bytes
        let cut = try await refusal(try Clip(bytes: Array(whole.prefix(whole.count / 2))))
        #expect(cut.code == .truncated)
    }

    @Test("sound alone is no video, and a cover picture does not make it one")
    func audioOnly() async throws {
        let sound = try await refusal(try await Clip(Clip.sound() + ["-c:a", "aac"]))
        #expect(sound.message == "the file has no video track, only audio")

        let cover = try await Clip(
            Clip.sound() + Clip.picture(seconds: 0.04) + [
                "-map", "0:a", "-map", "1:v", "-c:a", "aac", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p",
                "-disposition:v", "attached_pic",
            ], name: "cover.m4a")
        let error = try await refusal(cover)
        #expect(error.code == .noVideoTrack)
        #expect(error.message == "the file has no video track, only audio")
    }

    @Test("a video of no duration is refused as such")
    func zeroLength() async throws {
        let clip = try await Clip(Clip.picture() + Clip.h264 + ["-t", "0"])
        let error = try await refusal(clip)
        #expect(error.code == .zeroDuration)
    }

    @Test(
        "a playlist or script that names another file is refused unread",
        arguments: [
            "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
            "ffconcat version 1.0\nfile '/etc/passwd'\n",
            "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
        ])
    func playlists(text: String) async throws {
        for name in ["clip.mp4", "clip.m3u8", "clip.upload"] {
            let error = try await refusal(try Clip(bytes: Array(text.utf8), name: name))
            #expect(error.code == .notAVideo)
            #expect(!error.message.contains("passwd") && !error.detail.contains("root:"))
        }
    }

    @Test("a phone's rotation is seen, and the size is that of the upright picture")
    func rotation() async throws {
        let source = try await Clip.plain()
        let turned = try await Clip(["-i", source.path, "-c", "copy", "-metadata:s:v:0", "rotate=90"])
        let info = try await MediaProbe().examine(turned.path)
        #expect(info.video.rotation == 90)
        #expect(info.video.displaySize == (180, 320))
    }

    @Test("a video cut between keyframes by an edit list is seen as such")
    func trimmed() async throws {
        let source = try await Clip.plain()
        let trimmed = try await Clip(["-ss", "0.5", "-i", source.path, "-c", "copy"])
        #expect(try await MediaProbe().examine(trimmed.path).video.beginsBetweenKeyframes)
    }

    @Test("a missing ffprobe is an error about the service, not about the file")
    func missingTool() async throws {
        let clip = try Clip(bytes: [1, 2, 3])
        await #expect {
            _ = try await MediaProbe(MediaTools(ffprobe: "no-ffprobe-here")).examine(clip.path)
        } throws: { ($0 as? MediaError)?.code == .tool }
    }

    @Test(
        "sizes have the names people use",
        arguments: [
            (1920, 1080, "1080p"), (1080, 1920, "1080p"), (1280, 720, "720p"), (640, 360, "360p"), (640, 480, "480p"),
            (1920, 800, "1080p"), (3840, 2160, "2160p"), (1920, 1072, "1080p"), (854, 480, "480p"), (100, 90, "90p"),
            (1080, 1080, "1080p"),
        ])
    func labels(width: Int, height: Int, label: String) {
        #expect(QualityLabel.label(width: width, height: height) == label)
    }
}
