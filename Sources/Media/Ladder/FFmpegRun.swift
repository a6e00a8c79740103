import Processes

/// Runs an ffmpeg that writes files and tells its progress on standard output.
enum FFmpegRun {
    /// - Parameter frameCount: that it will make; 0 when it is not known.
    /// - Returns: what it said on standard error.
    /// - Throws: ``MediaError``; ffmpeg is gone when this returns.
    static func run(
        _ command: Command, frameCount: Int, progress: @Sendable (EncodeProgress) -> Void
    ) async throws -> String {
        do {
            return try await ChildProcess.withChild(command) { child in
                var reader = ProgressReader(frameCount: frameCount)
                while let piece = try await child.nextOutput() {
                    if let report = reader.feed(piece) { progress(report) }
                }
                let status = await child.exitStatus()
                guard status.isSuccess else { throw MediaError.conversion(child.errorText, status) }
                return child.errorText
            }
        } catch let error as ProcessError {
            throw MediaError(.tool, "ffmpeg could not be run: \(error.message)")
        }
    }
}

extension MediaError {
    /// What an ffmpeg that failed means to whoever sent the file.
    static func conversion(_ words: String, _ status: ExitStatus) -> MediaError {
        if words.contains("partial file") || words.contains("stream end") {
            return MediaError(
                .truncated, "the file ends early: the upload or the recording was cut off", detail: words)
        }
        return MediaError(
            .conversionFailed, "ffmpeg could not convert the file: it is damaged or uses something unsupported",
            detail: "\(status): \(words)")
    }
}
