/// What is in a media file, as far as it matters here.
package struct MediaInfo: Sendable, Hashable {
    /// The demuxer's name, such as `mov,mp4,m4a,3gp,3g2,mj2`.
    package var container: String
    /// Nil when the file does not say (a recording of a browser, a raw stream).
    package var durationSeconds: Double?
    package var sizeBytes: Int
    /// The first video track that is no cover picture.
    package var video: VideoTrack
    /// The default audio track, or else the first.
    package var audio: AudioTrack?

    package init(
        container: String, durationSeconds: Double?, sizeBytes: Int, video: VideoTrack, audio: AudioTrack? = nil
    ) {
        self.container = container
        self.durationSeconds = durationSeconds
        self.sizeBytes = sizeBytes
        self.video = video
        self.audio = audio
    }
}

/// The picture's track.
package struct VideoTrack: Sendable, Hashable {
    /// Place among all tracks of the file.
    package var index: Int
    package var codec: String
    package var profile: String?
    package var level: Int?
    package var pixelFormat: String?
    /// As coded, before rotation.
    package var width: Int
    package var height: Int
    /// Quarter turns in degrees, counter-clockwise as ffprobe says it: 0, 90, 180 or 270.
    package var rotation: Int
    /// Width of a pixel over its height.
    package var sampleAspect: Double
    package var frameRateAverage: Double?
    package var isInterlaced: Bool
    package var startSeconds: Double
    /// Whether decoding must begin before what is shown: an edit list cut the video between keyframes, as the editors
    /// of phones do.
    package var beginsBetweenKeyframes: Bool
    package var dynamicRange: DynamicRange

    package init(
        index: Int = 0, codec: String, profile: String? = nil, level: Int? = nil, pixelFormat: String? = "yuv420p",
        width: Int, height: Int, rotation: Int = 0, sampleAspect: Double = 1, frameRateAverage: Double? = nil,
        isInterlaced: Bool = false, startSeconds: Double = 0, beginsBetweenKeyframes: Bool = false,
        dynamicRange: DynamicRange = .standard
    ) {
        self.index = index
        self.codec = codec
        self.profile = profile
        self.level = level
        self.pixelFormat = pixelFormat
        self.width = width
        self.height = height
        self.rotation = rotation
        self.sampleAspect = sampleAspect
        self.frameRateAverage = frameRateAverage
        self.isInterlaced = isInterlaced
        self.startSeconds = startSeconds
        self.beginsBetweenKeyframes = beginsBetweenKeyframes
        self.dynamicRange = dynamicRange
    }

    /// How large the picture is shown: square pixels, rotation applied.
    package var displaySize: (width: Int, height: Int) {
        let wide = max(1, Int((Double(width) * sampleAspect).rounded()))
        return rotation % 180 == 0 ? (wide, height) : (height, wide)
    }
}

/// How bright a picture's values are meant to be shown.
package enum DynamicRange: Sendable, Hashable {
    case standard
    /// SMPTE ST 2084, of HDR10 and Dolby Vision.
    case perceptualQuantizer
    /// ARIB STD-B67, of broadcasts and phones.
    case hybridLogGamma

    /// - Parameter transfer: as ffprobe names it.
    init(transfer: String?) {
        switch transfer {
        case "smpte2084": self = .perceptualQuantizer
        case "arib-std-b67": self = .hybridLogGamma
        default: self = .standard
        }
    }
}

/// The sound's track.
package struct AudioTrack: Sendable, Hashable {
    package var index: Int
    package var codec: String
    package var profile: String?
    package var sampleRate: Int
    package var channels: Int
    package var startSeconds: Double

    package init(
        index: Int = 1, codec: String, profile: String? = nil, sampleRate: Int = 48000, channels: Int = 2,
        startSeconds: Double = 0
    ) {
        self.index = index
        self.codec = codec
        self.profile = profile
        self.sampleRate = sampleRate
        self.channels = channels
        self.startSeconds = startSeconds
    }
}
