import Base
import Foundation
import Jobs
import Media
import TranscoderAPI

/// What a follower is told from outside.
package struct FollowerConfiguration: Sendable {
    /// Base URL of the transcoding service.
    package let transcodeURL: String
    package let token: SharedToken
    package let id: FollowerID
    /// Where units lie while they are encoded. One follower owns it.
    package let scratchFolder: String
    /// Bytes a chunk may have.
    package let chunkBytesMax: Int
    package let tools: MediaTools
    /// Encoding stands back: what is asked for now, on the same machine, goes before what is made for later.
    private static let niceness = 10

    /// Reads `TRANSCODE_SERVICE_URL` (also `LEADER_URL`), `SHARED_TOKEN`, `FOLLOWER_ID`, `SCRATCH_DIR`, `CHUNK_SIZE` and
    /// `FFMPEG_THREADS`.
    package init(settings: Settings) throws(Failure) {
        let url = settings.text("TRANSCODE_SERVICE_URL", "LEADER_URL") ?? "http://localhost:8002"
        guard url.hasPrefix("http://") || url.hasPrefix("https://") else {
            throw Failure(.invalidArgument, "TRANSCODE_SERVICE_URL is '\(url)': it must begin with http:// or https://")
        }
        transcodeURL = url
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

    /// The machine's name and the port: the same after a restart, so that what it had is free at once.
    private static func defaultName(port: String) -> String {
        let host = ProcessInfo.processInfo.hostName.filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
        return "\(host.prefix(40))-\(port)"
    }
}
