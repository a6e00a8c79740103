import Base
import Processes

/// Runs ffmpeg and hands on its fragments while they come: what is not asked for yet waits in ffmpeg.
package struct RenditionProducer: Sendable {
    private let tools: MediaTools

    package init(_ tools: MediaTools) { self.tools = tools }

    /// - Parameter consume: gets the initialization segment first, then every fragment; ffmpeg waits meanwhile.
    /// - Throws: ``MediaError``, or what `consume` throws. ffmpeg is gone when this returns.
    package func produce(
        _ path: String, _ plan: RenditionPlan, consume: (FragmentParser.Event) async throws -> Void
    ) async throws {
        let command = FFmpegCommands.rendition(of: path, plan, tools: tools)
        do {
            try await ChildProcess.withChild(command) { child in
                var parser = FragmentParser()
                while let piece = try await child.nextOutput() {
                    for event in try parser.feed(piece) { try await consume(event) }
                }
                let status = await child.exitStatus()
                guard status.isSuccess else { throw MediaError.conversion(child.errorText, status) }
                do {
                    try parser.finish()
                } catch {
                    throw MediaError(
                        .conversionFailed, "ffmpeg made no playable video of the file", detail: child.errorText)
                }
            }
        } catch let error as ProcessError {
            throw MediaError(.tool, "ffmpeg could not be run: \(error.message)")
        }
    }

    /// A picture of the video as JPEG.
    /// - Throws: ``MediaError``.
    package func thumbnail(_ path: String, _ info: MediaInfo) async throws -> [UInt8] {
        try await picture(FFmpegCommands.thumbnail(of: path, info, tools: tools), timeout: Self.thumbnailTimeout)
    }

    /// The storyboard's sprite as JPEG.
    /// - Throws: ``MediaError``.
    package func sprite(_ path: String, _ info: MediaInfo, _ storyboard: Storyboard) async throws -> [UInt8] {
        try await picture(storyboard.command(of: path, info, tools: tools), timeout: Self.spriteTimeout)
    }

    private func picture(_ command: Command, timeout: Duration) async throws -> [UInt8] {
        let result: ProcessResult
        do {
            result = try await ChildProcess.run(
                command, outputBytesMax: Self.pictureBytesMax, timeout: timeout)
        } catch let error as ProcessError {
            throw MediaError(.tool, "ffmpeg could not be run: \(error.message)")
        }
        guard result.status.isSuccess, !result.output.isEmpty else {
            throw MediaError.conversion(result.errorText, result.status)
        }
        return result.output
    }

    private static let pictureBytesMax = 4 * ByteCount.mebibyte
    private static let thumbnailTimeout = Duration.seconds(60)
    private static let spriteTimeout = Duration.seconds(900)
}
