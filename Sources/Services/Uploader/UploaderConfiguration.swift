import Base
import Media

/// What the uploader is told from outside.
package struct UploaderConfiguration: Sendable {
    /// Base URL of the metadata service (`METADATA_SERVICE_URL`).
    package var metadataURL: String
    /// Where uploads lie until they are stored (`TEMP_DIR`). One uploader owns it.
    package var temporaryFolder: String
    /// Bytes a chunk may have (`CHUNK_SIZE`).
    package var chunkBytesMax: Int
    /// Seconds a chunk aims at (`CHUNK_DURATION`).
    package var chunkSecondsTarget: Double
    /// Uploads processed at once (`MAX_CONCURRENT_UPLOADS`); the next ones wait.
    package var concurrentUploadsMax: Int
    /// Bytes an upload may have (`MAX_UPLOAD_SIZE`).
    package var uploadBytesMax: Int
    /// ffmpeg, ffprobe and the threads of one run (`FFMPEG_THREADS`; 0 is every core).
    package var tools: MediaTools

    package init(settings: Settings) throws(Failure) {
        metadataURL = settings.text("METADATA_SERVICE_URL", default: "http://localhost:8080")
        guard metadataURL.hasPrefix("http://") || metadataURL.hasPrefix("https://") else {
            throw Failure(
                .invalidArgument, "METADATA_SERVICE_URL is '\(metadataURL)': it must begin with http:// or https://")
        }
        temporaryFolder = settings.text("TEMP_DIR", default: "./data/uploads")
        chunkBytesMax = try settings.integer(
            "CHUNK_SIZE", default: 2 * ByteCount.mebibyte, in: 64 * ByteCount.kibibyte...64 * ByteCount.mebibyte)
        chunkSecondsTarget = try settings.number("CHUNK_DURATION", default: 10, in: 1...600)
        concurrentUploadsMax = try settings.integer("MAX_CONCURRENT_UPLOADS", default: 5, in: 1...1000)
        uploadBytesMax = try settings.integer("MAX_UPLOAD_SIZE", default: 1024 * ByteCount.gibibyte, in: 1...Int.max)
        tools = MediaTools(threads: try settings.integer("FFMPEG_THREADS", default: 0, in: 0...256))
    }
}
