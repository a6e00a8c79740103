import Base

/// The services that the admin service looks after.
package struct AdminConfiguration: Sendable {
    package let metadataURL: String
    package let uploaderURL: String
    package let transcodeURL: String
    package let libraryURL: String
    package let streamingURL: String

    /// Reads `METADATA_SERVICE_URL`, `UPLOADER_SERVICE_URL`, `TRANSCODE_SERVICE_URL`, `LIBRARY_SERVICE_URL` and
    /// `STREAMING_SERVICE_URL`.
    package init(settings: Settings) {
        metadataURL = settings.text("METADATA_SERVICE_URL", default: "http://localhost:8080")
        uploaderURL = settings.text("UPLOADER_SERVICE_URL", default: "http://localhost:8084")
        transcodeURL = settings.text("TRANSCODE_SERVICE_URL", default: "http://localhost:8002")
        libraryURL = settings.text("LIBRARY_SERVICE_URL", default: "http://localhost:8003")
        streamingURL = settings.text("STREAMING_SERVICE_URL", default: "http://localhost:8004")
    }

    /// By the names that `GET /admin/status` gives them.
    var services: [String: String] {
        [
            "catalog": metadataURL, "uploader": uploaderURL, "transcoding": transcodeURL, "metadata": libraryURL,
            "streaming": streamingURL,
        ]
    }
}
