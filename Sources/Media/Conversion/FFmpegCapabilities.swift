import Base
import Processes

/// What the ffmpeg of this machine can do.
package struct FFmpegCapabilities: Codable, Sendable, Hashable {
    private static let timeout = Duration.seconds(20)

    /// Such as `5.1.6-0+deb12u1`.
    package let version: String
    package let videoEncoders: [String]
    package let audioEncoders: [String]

    /// Of the encoders that conversions may ask for, those that are there.
    /// - Throws: ``MediaError`` when ffmpeg cannot be asked.
    package static func examine(_ tools: MediaTools = MediaTools()) async throws -> FFmpegCapabilities {
        let version = try await lines(tools, "-version").first?.split(separator: " ").dropFirst(2).first
        let encoders = Set(
            try await lines(tools, "-encoders").compactMap {
                $0.split(separator: " ").dropFirst().first.map(String.init)
            })
        func present(_ names: [String]) -> [String] { names.filter { $0 == "copy" || encoders.contains($0) } }
        return FFmpegCapabilities(
            version: version.map(String.init) ?? "unknown",
            videoEncoders: present(ConversionOptions.VideoCodec.allCases.map(\.rawValue)),
            audioEncoders: present(ConversionOptions.AudioCodec.allCases.map(\.rawValue)))
    }

    private static func lines(_ tools: MediaTools, _ argument: String) async throws -> [Substring] {
        do {
            let result = try await ChildProcess.run(
                Command(tools.ffmpeg, ["-hide_banner", argument]), outputBytesMax: ByteCount.mebibyte, timeout: timeout)
            return String(decoding: result.output, as: UTF8.self).split(separator: "\n")
        } catch let error as ProcessError {
            throw MediaError(.tool, "ffmpeg could not be run: \(error.message)")
        }
    }
}
