/// How a source becomes the first rendition: fragmented MP4 with H.264 and AAC, which every browser plays.
///
/// What is in that form already is copied, bit for bit; only the rest is encoded. Pure: it decides from ``MediaInfo``.
package struct RenditionPlan: Sendable, Hashable {
    package enum Video: Sendable, Hashable {
        /// The track as it is, its rotation kept as the track's matrix.
        case copy
        case encode(VideoEncoding)
    }

    package enum Audio: Sendable, Hashable {
        case none
        case copy
        /// As it is, without the ADTS headers of a transport stream, which MP4 keeps once.
        case copyWithoutHeaders
        /// Stereo AAC-LC.
        case encode
    }

    package let videoIndex: Int
    package let video: Video
    package let audioIndex: Int?
    package let audio: Audio
    /// The size of the picture as it is shown.
    package let width: Int
    package let height: Int

    package init(for info: MediaInfo) {
        videoIndex = info.video.index
        audioIndex = info.audio?.index
        audio =
            switch info.audio {
            case nil: .none
            case let track? where Self.isPlayable(track): info.container == "mpegts" ? .copyWithoutHeaders : .copy
            default: .encode
            }
        if Self.isPlayable(info.video), Self.hasTimestamps(info.container), !info.video.beginsBetweenKeyframes {
            video = .copy
            (width, height) = info.video.displaySize
        } else {
            let encoding = VideoEncoding(for: info.video)
            video = .encode(encoding)
            (width, height) = (encoding.width, encoding.height)
        }
    }

    /// Whether nothing is encoded.
    package var isCopy: Bool { video == .copy && audio != .encode }

    // Frames that are decoded and not shown are for an edit list to hide; a media source drops everything up to the
    // next keyframe instead, so such a video is encoded.

    /// 8-bit 4:2:0 in a profile that Media Source Extensions take everywhere.
    private static func isPlayable(_ track: VideoTrack) -> Bool {
        let profiles: Set<String> = ["Constrained Baseline", "Baseline", "Main", "High", "Constrained High"]
        return track.codec == "h264" && track.dynamicRange == .standard
            && ["yuv420p", "yuvj420p"].contains(track.pixelFormat ?? "")
            && profiles.contains(track.profile ?? "")
    }

    private static func isPlayable(_ track: AudioTrack) -> Bool {
        track.codec == "aac" && ["LC", "HE-AAC", "HE-AACv2"].contains(track.profile ?? "")
            && (1...8).contains(track.channels) && (8000...96000).contains(track.sampleRate)
    }

    /// AVI, MPEG program streams and raw streams do not say when a frame is shown, only in which order it is decoded;
    /// copied, their B-frames would come out of time.
    private static func hasTimestamps(_ container: String) -> Bool {
        let names = container.split(separator: ",")
        return names.contains { ["mov", "mp4", "matroska", "webm", "flv", "mpegts"].contains($0) }
    }
}

/// One encode to H.264, in the shape of the ladder's best rung that the source fills.
package struct VideoEncoding: Sendable, Hashable {
    /// Sizes no larger than 1920×1080 (or 1080×1920), with the peak rate and the buffer that a player must bear.
    private static let rungs: [(shortSide: Int, peakBitsPerSecond: Int, bufferBits: Int)] = [
        (360, 1_100_000, 2_200_000), (480, 1_900_000, 3_000_000), (720, 3_900_000, 5_800_000),
        (1080, 6_400_000, 9_600_000),
    ]
    private static let longSideMax = 1920
    private static let shortSideMax = 1080

    /// Even, square pixels, rotation applied.
    package let width: Int
    package let height: Int
    package let peakBitsPerSecond: Int
    package let bufferBits: Int
    package let isDeinterlaced: Bool
    /// What is brought down to standard range.
    package let dynamicRange: DynamicRange

    package init(for track: VideoTrack) {
        let (width, height) = track.displaySize
        let long = Double(max(width, height))
        let short = Double(min(width, height))
        // Never enlarged.
        let scale = min(1, Double(Self.longSideMax) / long, Double(Self.shortSideMax) / short)
        self.width = Self.even(Double(width) * scale)
        self.height = Self.even(Double(height) * scale)
        let shown = min(self.width, self.height)
        let rung = Self.rungs.first { shown <= $0.shortSide } ?? Self.rungs[Self.rungs.count - 1]
        peakBitsPerSecond = rung.peakBitsPerSecond
        bufferBits = rung.bufferBits
        isDeinterlaced = track.isInterlaced
        dynamicRange = track.dynamicRange
    }

    /// 4:2:0 has one colour sample for two pixels each way.
    private static func even(_ side: Double) -> Int { max(2, Int((side / 2).rounded()) * 2) }
}
