import Base

/// Why media cannot be used. The message is a sentence for whoever sent the file.
package struct MediaError: PresentableError {
    package enum Code: Sendable, Equatable {
        case empty
        case notAVideo
        /// There is sound, or only a cover picture.
        case noVideoTrack
        /// The file was cut off.
        case truncated
        case zeroDuration
        /// It is a video, with something in it that cannot be handled.
        case unsupported
        /// No rung of the ladder has that label.
        case unknownQuality
        /// ffmpeg gave up on it.
        case conversionFailed
        /// An encode is not what was ordered: another attempt may succeed.
        case badEncode
        /// Fragmented MP4 that breaks the rules of ISO/IEC 14496-12, or our limits.
        case malformedFragment
        /// ffmpeg or ffprobe is missing, or answers with something else than it should.
        case tool
    }

    package let code: Code
    package let message: String
    /// What lies beneath, for the log: the tool's own words.
    package let detail: String

    package init(_ code: Code, _ message: String, detail: String = "") {
        self.code = code
        self.message = message
        self.detail = detail
    }

    package var category: ErrorCategory {
        switch code {
        case .empty, .notAVideo, .noVideoTrack, .truncated, .zeroDuration, .unsupported, .conversionFailed,
            .unknownQuality:
            .invalidArgument
        case .malformedFragment, .badEncode, .tool: .internal
        }
    }
}
