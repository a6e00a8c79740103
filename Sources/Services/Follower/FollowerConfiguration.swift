import Base
import Foundation
import Jobs
import Media
import TranscoderAPI

/// What a follower is told from outside.
package struct FollowerConfiguration: Sendable {
    /// Base URL of the transcoding service; nil for a follower that only converts files.
    package let transcodeURL: String?
    /// Where the leader is reached; nil where that is as the leader says itself.
    package let leaderURL: String?
    /// The folder whose files it may convert, which it shares with the leader; nil when it converts none.
    package let mediaHome: String?
    package let token: SharedToken
    package let id: FollowerID
    /// Where units lie while they are encoded. One follower owns it.
    package let scratchFolder: String
    /// Bytes a chunk may have.
    package let chunkBytesMax: Int
    package let tools: MediaTools
    /// Encoding stands back: what is asked for now, on the same machine, goes before what is made for later.
    private static let niceness = 10

    /// Reads `TRANSCODE_SERVICE_URL`, `LEADER_URL`, `FRAME_SHIFT_HOME` (also `MEDIA_HOME`), `SHARED_TOKEN`, `FOLLOWER_ID`,
    /// `SCRATCH_DIR`, `CHUNK_SIZE` and `FFMPEG_THREADS`. One that has only a leader asks no transcoding service.
    package init(settings: Settings) throws(Failure) {
        leaderURL = try Self.url("LEADER_URL", settings)
        transcodeURL =
            try Self.url("TRANSCODE_SERVICE_URL", settings) ?? (leaderURL == nil ? "http://localhost:8002" : nil)
        mediaHome = settings.text("FRAME_SHIFT_HOME", "MEDIA_HOME")
        guard let text = settings.text("SHARED_TOKEN") else {
            throw Failure(.invalidArgument, "SHARED_TOKEN is not set: a follower needs that of its transcoding service")
        }
        token = try SharedToken(text)
        let name = settings.text("FOLLOWER_ID", default: Self.defaultName(port: settings.text("PORT", default: "3002")))
        guard let id = FollowerID(name) else {
            throw Failure(.invalidArgument, "FOLLOWER_ID is '\(name.prefix(80))': it must be \(FollowerID.textForm)")
        }
        self.id = id
        scratchFolder = settings.text("SCRATCH_DIR", default: "./data/scratch")
        chunkBytesMax = try settings.integer(
            "CHUNK_SIZE", default: 2 * ByteCount.mebibyte, in: 64 * ByteCount.kibibyte...64 * ByteCount.mebibyte)
        tools = MediaTools(
            threads: try settings.integer("FFMPEG_THREADS", default: 0, in: 0...256), niceness: Self.niceness)
    }

    private static func url(_ name: String, _ settings: Settings) throws(Failure) -> String? {
        guard let url = settings.text(name) else { return nil }
        guard url.hasPrefix("http://") || url.hasPrefix("https://") else {
            throw Failure(.invalidArgument, "\(name) is '\(url)': it must begin with http:// or https://")
        }
        return url.hasSuffix("/") ? String(url.dropLast()) : url
    }

    /// The machine's name and the port: the same after a restart, so that what it had is free at once.
    private static func defaultName(port: String) -> String {
        let host = ProcessInfo.processInfo.hostName.filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
        return "\(host.prefix(40))-\(port)"
    }
}
