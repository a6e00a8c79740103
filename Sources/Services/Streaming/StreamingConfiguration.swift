import Base

/// What the streaming service is told from outside.
package struct StreamingConfiguration: Sendable {
    package let metadataURL: String
    /// Bytes of segments that are kept in memory.
    package let cacheBytes: Int

    /// Reads `METADATA_SERVICE_URL` and `STREAM_CACHE_BYTES`.
    package init(settings: Settings) throws(Failure) {
        metadataURL = settings.text("METADATA_SERVICE_URL", default: "http://localhost:8080")
        guard metadataURL.hasPrefix("http://") || metadataURL.hasPrefix("https://") else {
            throw Failure(
                .invalidArgument, "METADATA_SERVICE_URL is '\(metadataURL)': it must begin with http:// or https://")
        }
        cacheBytes = try settings.integer(
            "STREAM_CACHE_BYTES", default: 256 * ByteCount.mebibyte, in: 0...64 * ByteCount.gibibyte)
    }
}
