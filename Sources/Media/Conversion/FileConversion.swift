import Base
import Foundation
import Processes

/// Converts one file into another with one ffmpeg.
package struct FileConversion: Sendable {
    /// Seconds by which the result's length may differ from the source's: a container rounds, and a last picture may be
    /// shown longer.
    private static let toleranceSeconds = 1.0

    private let options: ConversionOptions
    private let tools: MediaTools

    package init(_ options: ConversionOptions, tools: MediaTools) {
        self.options = options
        self.tools = tools
    }

    /// Pictures that will be made; 0 when it cannot be told.
    package func frameCount(of info: MediaInfo) -> Int {
        guard let seconds = info.durationSeconds, let rate = options.frameRate ?? info.video.frameRateAverage else {
            return 0
        }
        return Int((seconds * rate).rounded())
    }

    /// - Parameter output: a file that may be overwritten.
    /// - Throws: ``MediaError`` in ffmpeg's own words; ffmpeg is gone when this returns.
    package func run(
        _ input: String, _ info: MediaInfo, to output: String,
        progress: @escaping @Sendable (EncodeProgress) -> Void
    ) async throws {
        do {
            _ = try await FFmpegRun.run(
                command(input, to: output), frameCount: frameCount(of: info), progress: progress)
        } catch let error as MediaError where error.code == .conversionFailed {
            throw MediaError(.conversionFailed, Self.sentence(error, hiding: [input, output]), detail: error.detail)
        }
        try await verify(output, source: info)
    }

    /// The result is a video that is as long as the source.
    private func verify(_ output: String, source: MediaInfo) async throws {
        if options.customArguments != nil {
            // They may leave out the picture, or all but a piece.
            let size = (try? FileManager.default.attributesOfItem(atPath: output)[.size] as? Int) ?? 0
            guard size > 0 else { throw MediaError(.badEncode, "ffmpeg made an empty file") }
            return
        }
        let made = try await MediaProbe(tools).examine(output)
        guard let seconds = made.durationSeconds, let expected = source.durationSeconds else { return }
        guard abs(seconds - expected) <= max(Self.toleranceSeconds, expected / 100) else {
            throw MediaError(
                .badEncode, "the result lasts \(Int(seconds)) seconds where the source lasts \(Int(expected))")
        }
    }

    func command(_ input: String, to output: String) -> Command {
        var arguments = ["-nostdin", "-hide_banner", "-v", "error", "-nostats", "-y", "-progress", "pipe:1"]
        arguments += ["-stats_period", "0.5", "-threads", "\(tools.threads)"] + MediaTools.input(input)
        if let words = options.customArguments {
            arguments += words
        } else {
            // Not a cover picture, which counts as video otherwise.
            arguments += ["-map", "0:V:0", "-map", "0:a?"] + picture + sound + subtitles
        }
        arguments += ["-threads", "\(tools.threads)"] + container + ["file:\(output)"]
        return tools.background(arguments)
    }

    private var picture: [String] {
        let codec = options.effectiveVideoCodec
        guard codec != .copy else { return ["-c:v", "copy"] }
        var arguments = ["-c:v", codec.rawValue]
        if let preset = options.preset { arguments += ["-preset", preset] }
        switch options.effectiveRateControl {
        case .crf: arguments += ["-crf", "\(options.crf ?? (codec == .libsvtav1 ? 35 : 23))"]
        case .vbr: arguments += ["-b:v", "\(rate)k"]
        case .cbr:
            arguments += [
                "-b:v", "\(rate)k", "-minrate", "\(rate)k", "-maxrate", "\(rate)k", "-bufsize", "\(rate * 2)k",
            ]
        }
        if options.width != nil || options.height != nil {
            // Even sides, whatever the aspect ratio makes of the other one.
            arguments += ["-vf", "scale=\(options.width ?? -2):\(options.height ?? -2)"]
        }
        arguments += ["-pix_fmt", options.bitDepth == 10 ? "yuv420p10le" : "yuv420p"]
        if let frameRate = options.frameRate { arguments += ["-r", "\(frameRate)"] }
        // What players of Apple's want HEVC to be called.
        if codec == .libx265, [.mp4, .mov].contains(options.effectiveContainer) { arguments += ["-tag:v", "hvc1"] }
        return arguments
    }

    private var rate: Int { options.videoBitrateKbps ?? 0 }

    private var sound: [String] {
        var arguments = ["-c:a", options.effectiveAudioCodec.rawValue]
        if let rate = options.audioBitrateKbps { arguments += ["-b:a", "\(rate)k"] }
        // Above two channels libopus knows few layouts, and FLAC's and AAC's are as the source's.
        if options.effectiveAudioCodec == .libopus { arguments += ["-ac", "2"] }
        return arguments
    }

    /// Only Matroska takes whatever subtitles there are.
    private var subtitles: [String] {
        options.effectiveContainer == .mkv ? ["-map", "0:s?", "-c:s", "copy"] : []
    }

    private var container: [String] {
        switch options.effectiveContainer {
        case .mp4: ["-movflags", "+faststart", "-f", "mp4"]
        case .mov: ["-movflags", "+faststart", "-f", "mov"]
        case .mkv: ["-f", "matroska"]
        case .webm: ["-f", "webm"]
        case .avi: ["-f", "avi"]
        }
    }

    /// ffmpeg's last words, without the paths of this machine.
    private static func sentence(_ error: MediaError, hiding paths: [String]) -> String {
        var words = error.detail.split(separator: "\n").last.map(String.init) ?? ""
        for path in paths {
            words = words.replacing("file:\(path)", with: "the file").replacing(path, with: "the file")
        }
        guard !words.isEmpty, !words.contains("/") else { return error.message }
        return "ffmpeg could not convert the file: \(words.prefix(200))"
    }
}
