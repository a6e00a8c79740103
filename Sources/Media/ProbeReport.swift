import Base

/// The part of ffprobe's JSON that is asked for.
struct ProbeReport: Decodable {
    struct Format: Decodable {
        let formatName: String?
        let duration: String?
    }

    struct Stream: Decodable {
        let index: Int
        let codecType: String?
        let codecName: String?
        let profile: String?
        let level: Int?
        let pixFmt: String?
        let width: Int?
        let height: Int?
        let sampleAspectRatio: String?
        let rFrameRate: String?
        let avgFrameRate: String?
        let fieldOrder: String?
        let colorTransfer: String?
        let startTime: String?
        let duration: String?
        let nbFrames: String?
        let sampleRate: String?
        let channels: Int?
        let disposition: [String: Int]?
        let sideDataList: [SideData]?
    }

    struct Packet: Decodable {
        let streamIndex: Int?
        /// `K` keyframe, `D` decoded but not shown.
        let flags: String?
    }

    struct SideData: Decodable {
        let rotation: Int?
    }

    /// What ffprobe is told to show (`-show_entries`), and nothing else: tags hold whatever a stranger wrote.
    static let entries =
        "format=format_name,duration:stream=index,codec_type,codec_name,profile,level,pix_fmt,width,height,"
        + "sample_aspect_ratio,r_frame_rate,avg_frame_rate,field_order,color_transfer,start_time,duration,nb_frames,sample_rate,"
        + "channels:stream_disposition=default,attached_pic,timed_thumbnails,still_image:stream_side_data=rotation:"
        + "packet=stream_index,flags"

    /// How many packets it reads from the beginning.
    static let packetCount = 64

    let format: Format?
    let streams: [Stream]?
    let packets: [Packet]?

    /// - Throws: ``MediaError`` that says why the file is not a video that can be played.
    func info(sizeBytes: Int) throws(MediaError) -> MediaInfo {
        let streams = streams ?? []
        let duration = format?.duration.flatMap(Double.init)
        let sounds = streams.filter { $0.codecType == "audio" && ($0.codecName ?? "unknown") != "unknown" }
        guard let picture = streams.first(where: \.isMovingPicture) else {
            if streams.isEmpty, let duration, duration <= 0 { throw Self.zeroDuration }
            throw noVideo(streams, sounds)
        }
        guard let packets, !packets.isEmpty else { throw Self.zeroDuration }
        if let duration, duration <= 0 { throw Self.zeroDuration }
        var video = try picture.video()
        video.beginsBetweenKeyframes =
            packets.first { $0.streamIndex == picture.index }?.flags?.contains("D") == true
        let audio = sounds.first { $0.disposition?["default"] == 1 } ?? sounds.first
        return MediaInfo(
            container: format?.formatName ?? "unknown", durationSeconds: duration, sizeBytes: sizeBytes,
            video: video, audio: audio.map(\.audio))
    }

    static var zeroDuration: MediaError {
        MediaError(.zeroDuration, "the file's duration is zero: it holds no picture to play")
    }

    private func noVideo(_ streams: [Stream], _ sounds: [Stream]) -> MediaError {
        if !sounds.isEmpty { return MediaError(.noVideoTrack, "the file has no video track, only audio") }
        if streams.contains(where: { $0.codecType == "video" }) {
            return MediaError(.noVideoTrack, "the file has no video track, only a still picture")
        }
        return MediaError(.noVideoTrack, "the file has no video track")
    }
}

extension ProbeReport.Stream {
    private static let stillCodecs: Set<String> = ["png", "mjpeg", "bmp", "gif", "webp", "tiff"]

    /// Cover art and thumbnails are video tracks to ffprobe, and none to a person.
    fileprivate var isMovingPicture: Bool {
        guard codecType == "video" else { return false }
        for flag in ["attached_pic", "timed_thumbnails", "still_image"] where disposition?[flag] == 1 { return false }
        guard Self.stillCodecs.contains(codecName ?? "") else { return true }
        return nbFrames != "1" && avgFrameRate != "0/0"
    }

    fileprivate func video() throws(MediaError) -> VideoTrack {
        guard let width, let height, width > 0, height > 0, let codecName else {
            throw MediaError(
                .unsupported, "the file's video track cannot be read: its codec or its picture size is unknown")
        }
        guard width <= VideoTrack.sideMax, height <= VideoTrack.sideMax else {
            throw MediaError(
                .unsupported, "the picture is \(width)×\(height): more than \(VideoTrack.sideMax) a side is not taken")
        }
        let turned = sideDataList?.lazy.compactMap(\.rotation).first ?? 0
        return VideoTrack(
            index: index, codec: codecName, profile: profile, level: level, pixelFormat: pixFmt, width: width,
            height: height, rotation: Self.quarterTurn(turned), sampleAspect: Self.aspect(sampleAspectRatio),
            frameRateAverage: Self.rate(avgFrameRate) ?? Self.rate(rFrameRate),
            isInterlaced: ["tt", "bb", "tb", "bt"].contains(fieldOrder ?? ""),
            startSeconds: startTime.flatMap(Double.init) ?? 0,
            dynamicRange: DynamicRange(transfer: colorTransfer))
    }

    fileprivate var audio: AudioTrack {
        AudioTrack(
            index: index, codec: codecName ?? "unknown", profile: profile,
            sampleRate: sampleRate.flatMap { Int($0) } ?? 0, channels: channels ?? 0,
            startSeconds: startTime.flatMap(Double.init) ?? 0)
    }

    private static func quarterTurn(_ degrees: Int) -> Int {
        let positive = ((degrees % 360) + 360) % 360
        return (positive + 45) / 90 % 4 * 90
    }

    /// `30000/1001`; nil for `0/0`.
    private static func rate(_ text: String?) -> Double? { ratio(text, separator: "/") }

    private static func aspect(_ text: String?) -> Double {
        guard let ratio = ratio(text, separator: ":"), (0.05...20).contains(ratio) else { return 1 }
        return ratio
    }

    private static func ratio(_ text: String?, separator: Character) -> Double? {
        let parts = (text ?? "").split(separator: separator).compactMap { Double($0) }
        guard parts.count == 2, parts[0] > 0, parts[1] > 0 else { return nil }
        return parts[0] / parts[1]
    }
}

extension VideoTrack {
    /// Pixels a side: 16K. What is larger is an attack on the decoder's memory rather than a video.
    package static let sideMax = 16384
}
