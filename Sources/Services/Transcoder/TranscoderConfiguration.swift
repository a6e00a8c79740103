import Base
import TranscoderAPI

/// What the transcoding service is told from outside.
package struct TranscoderConfiguration: Sendable {
    package let metadataURL: String
    /// nil: no follower is let in.
    package let token: SharedToken?

    /// Reads `METADATA_SERVICE_URL` and `SHARED_TOKEN`.
    package init(settings: Settings) throws(Failure) {
        metadataURL = settings.text("METADATA_SERVICE_URL", default: "http://localhost:8080")
        if let text = settings.text("SHARED_TOKEN") { token = try SharedToken(text) } else { token = nil }
    }
}
