import Base
import MetadataAPI

/// An upload that was acknowledged: its file is durable in the temporary folder, and this is what a restart needs to
/// go on with it.
struct AcceptedUpload: Codable, Sendable {
    let contentType: String
    let sizeBytes: Int
    /// Of the whole file.
    let checksum: SHA256Digest
    let video: CreateVideoResponse
    /// As when it began, whatever is configured by now: other cuts would be other chunks.
    let chunkBytesMax: Int
    let chunkSecondsTarget: Double
}
