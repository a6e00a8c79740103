import Base

/// How a file is to be converted, as a client says it in JSON. What does not fit together is told by ``check()``, before
/// anything is queued.
package struct ConversionOptions: Codable, Sendable, Hashable {
    package enum VideoCodec: String, Codable, Sendable, CaseIterable {
        case libx265, libx264, libsvtav1, copy
    }

    package enum AudioCodec: String, Codable, Sendable, CaseIterable {
        case libopus, aac, ac3, flac, copy
    }

    package enum Container: String, Codable, Sendable, CaseIterable {
        case mp4, mkv, webm, avi, mov
    }

    package enum RateControl: String, Codable, Sendable, CaseIterable {
        /// Constant quality.
        case crf
        /// Constant rate.
        case cbr
        /// Variable rate around an average.
        case vbr
    }

    package var videoCodec: VideoCodec?
    package var rateControl: RateControl?
    package var crf: Int?
    package var videoBitrateKbps: Int?
    package var preset: String?
    /// 8 or 10.
    package var bitDepth: Int?
    package var width: Int?
    /// One of width and height may be left out: the aspect ratio is kept.
    package var height: Int?
    package var frameRate: Double?
    package var audioCodec: AudioCodec?
    package var audioBitrateKbps: Int?
    package var container: Container?
    /// Instead of all of the above but the container: words for ffmpeg, of those that ``CustomArguments`` lets through.
    package var customArguments: [String]?

    package init() {}
}

extension ConversionOptions {
    private static let x26xPresets = [
        "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
    ]

    package var effectiveContainer: Container { container ?? .mp4 }
    var effectiveVideoCodec: VideoCodec { videoCodec ?? (effectiveContainer == .webm ? .libsvtav1 : .libx264) }
    var effectiveAudioCodec: AudioCodec { audioCodec ?? (effectiveContainer == .webm ? .libopus : .aac) }
    var effectiveRateControl: RateControl { rateControl ?? (videoBitrateKbps == nil ? .crf : .vbr) }

    package func check() throws(Failure) {
        if let customArguments {
            guard try customArguments == CustomArguments(customArguments).words, isPlainBesideCustom else {
                throw Failure(.invalidArgument, "'custom_arguments' go with 'container' alone, not with other options")
            }
            return
        }
        try checkPicture()
        try checkRates()
        try checkContainer()
    }

    private var isPlainBesideCustom: Bool {
        var rest = self
        rest.customArguments = nil
        rest.container = nil
        return rest == ConversionOptions()
    }

    private func checkPicture() throws(Failure) {
        for (name, side) in [("width", width), ("height", height)] {
            guard let side else { continue }
            guard (16...8192).contains(side), side % 2 == 0 else {
                throw Failure(.invalidArgument, "'\(name)' is \(side): it must be an even number from 16 to 8192")
            }
        }
        if let frameRate, !(1...240).contains(frameRate) {
            throw Failure(.invalidArgument, "'frame_rate' is \(frameRate): it must be from 1 to 240")
        }
        if let bitDepth, ![8, 10].contains(bitDepth) {
            throw Failure(.invalidArgument, "'bit_depth' is \(bitDepth): it must be 8 or 10")
        }
        let touchesPicture =
            width != nil || height != nil || frameRate != nil || bitDepth != nil || preset != nil || crf != nil
            || rateControl != nil || videoBitrateKbps != nil
        guard effectiveVideoCodec != .copy || !touchesPicture else {
            throw Failure(
                .invalidArgument,
                "'video_codec' is copy, so size, rate, preset and quality of the picture stay as they are")
        }
        guard let preset else { return }
        let known = effectiveVideoCodec == .libsvtav1 ? (0...13).map(String.init) : Self.x26xPresets
        guard known.contains(preset) else {
            throw Failure(
                .invalidArgument,
                "'preset' is '\(preset.prefix(40))': it must be one of \(known.joined(separator: ", "))")
        }
    }

    private func checkRates() throws(Failure) {
        if let crf {
            let range = effectiveVideoCodec == .libsvtav1 ? 0...63 : 0...51
            guard effectiveRateControl == .crf, range.contains(crf) else {
                throw Failure(
                    .invalidArgument,
                    "'crf' is \(crf): it must be from \(range.lowerBound) to \(range.upperBound), with 'rate_control' crf"
                )
            }
        }
        if effectiveVideoCodec != .copy {
            let needsRate = effectiveRateControl != .crf
            guard needsRate == (videoBitrateKbps != nil) else {
                throw Failure(
                    .invalidArgument,
                    needsRate
                        ? "'rate_control' \(effectiveRateControl.rawValue) needs 'video_bitrate_kbps'"
                        : "'video_bitrate_kbps' goes with 'rate_control' cbr or vbr")
            }
        }
        if effectiveVideoCodec == .libsvtav1, effectiveRateControl == .cbr {
            throw Failure(.invalidArgument, "'rate_control' cbr is not known to libsvtav1; take vbr or crf")
        }
        for (name, rate, range) in [
            ("video_bitrate_kbps", videoBitrateKbps, 50...400_000), ("audio_bitrate_kbps", audioBitrateKbps, 16...640),
        ] {
            guard let rate, !range.contains(rate) else { continue }
            throw Failure(
                .invalidArgument, "'\(name)' is \(rate): it must be from \(range.lowerBound) to \(range.upperBound)")
        }
        if audioBitrateKbps != nil, [.flac, .copy].contains(effectiveAudioCodec) {
            throw Failure(.invalidArgument, "'audio_bitrate_kbps' means nothing to \(effectiveAudioCodec.rawValue)")
        }
    }

    private func checkContainer() throws(Failure) {
        let container = effectiveContainer
        let videos: [VideoCodec]
        let audios: [AudioCodec]
        switch container {
        case .mkv: (videos, audios) = (VideoCodec.allCases, AudioCodec.allCases)
        case .mp4: (videos, audios) = (VideoCodec.allCases, [.libopus, .aac, .ac3, .copy])
        case .mov: (videos, audios) = ([.libx264, .libx265, .copy], [.aac, .ac3, .copy])
        case .webm: (videos, audios) = ([.libsvtav1, .copy], [.libopus, .copy])
        case .avi: (videos, audios) = ([.libx264, .copy], [.aac, .ac3, .copy])
        }
        guard videos.contains(effectiveVideoCodec) else {
            throw Self.misfit(container, effectiveVideoCodec.rawValue, videos.map(\.rawValue))
        }
        guard audios.contains(effectiveAudioCodec) else {
            throw Self.misfit(container, effectiveAudioCodec.rawValue, audios.map(\.rawValue))
        }
    }

    private static func misfit(_ container: Container, _ codec: String, _ known: [String]) -> Failure {
        Failure(.invalidArgument, "\(container.rawValue) takes no \(codec); it takes \(known.joined(separator: ", "))")
    }
}
