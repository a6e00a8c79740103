import Base
import Dispatch
import Processes

/// Looks at a file with ffprobe, and says in words what is wrong with one that is no video.
package struct MediaProbe: Sendable {
    /// What ffprobe may say, and for how long it may look.
    private static let outputBytesMax = ByteCount.mebibyte
    private static let timeout = Duration.seconds(60)

    /// Reads of boxes wait for the disk, which no task may do.
    private static let disk = DispatchQueue(label: "probe", attributes: .concurrent)

    private let tools: MediaTools

    package init(_ tools: MediaTools = MediaTools()) { self.tools = tools }

    /// - Parameter path: of a local file.
    /// - Throws: ``MediaError`` about the file or the tool.
    package func examine(_ path: String) async throws -> MediaInfo {
        let boxes = await withCheckedContinuation { continuation in
            Self.disk.async { continuation.resume(returning: TopLevelBoxes(path: path)) }
        }
        guard boxes.fileSize > 0 else { throw MediaError(.empty, "the file is empty") }
        let result: ProcessResult
        do {
            result = try await ChildProcess.run(
                Command(tools.ffprobe, Self.arguments(path)), outputBytesMax: Self.outputBytesMax, timeout: Self.timeout
            )
        } catch let error as ProcessError {
            throw Self.failure(error)
        }
        guard result.status.isSuccess else { throw Self.refusal(result, boxes) }
        let report: ProbeReport
        do {
            report = try JSON.decode(ProbeReport.self, from: result.output)
        } catch {
            throw MediaError(.tool, "ffprobe answered something that is not understood", detail: error.message)
        }
        // ffprobe is content with a header whose media were cut off; a viewer is not.
        if report.format?.formatName?.hasPrefix("mov") == true, boxes.isCutOff { throw Self.cutOff("") }
        return try report.info(sizeBytes: boxes.fileSize)
    }

    static func arguments(_ path: String) -> [String] {
        [
            "-v", "error", "-print_format", "json", "-show_entries", ProbeReport.entries, "-read_intervals",
            "%+#\(ProbeReport.packetCount)",
        ] + MediaTools.input(path)
    }

    private static func failure(_ error: ProcessError) -> MediaError {
        switch error.code {
        case .timedOut:
            MediaError(.unsupported, "the file could not be examined in \(timeout.components.seconds) seconds")
        case .notFound:
            MediaError(.tool, "ffprobe is not installed where this service runs: install the package ffmpeg")
        default: MediaError(.tool, "ffprobe could not be run", detail: error.message)
        }
    }

    private static func refusal(_ result: ProcessResult, _ boxes: TopLevelBoxes) -> MediaError {
        let words = result.errorText
        if words.contains("not on whitelist") {
            return MediaError(
                .notAVideo, "the file is not a video: it is a playlist, a script, a picture or a text", detail: words)
        }
        if boxes.isMP4, boxes.isCutOff || words.contains("moov atom not found") { return cutOff(words) }
        return MediaError(.notAVideo, "the file is not a video: no known format was found in it", detail: words)
    }

    private static func cutOff(_ words: String) -> MediaError {
        let missing = words.contains("moov") ? " (moov atom not found)" : ""
        return MediaError(
            .truncated, "the file ends early\(missing): the upload or the recording was cut off", detail: words)
    }
}
