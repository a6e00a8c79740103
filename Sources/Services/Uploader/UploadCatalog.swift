import Base
import ChunkDelivery
import HTTPClient
import HTTPTypes
import MetadataAPI

/// What the uploader asks of the metadata service; a test brings its own.
package protocol UploadCatalog: Sendable {
    func create(_ request: CreateVideoRequest) async throws -> CreateVideoResponse
    func publish(_ video: VideoID, _ request: PublishRequest) async throws
    func markFailed(_ video: VideoID, reason: String) async throws
    /// Says that the video's upload goes on, although no chunk comes.
    func markUploading(_ video: VideoID) async throws
    /// Nil when there is no such video.
    func status(_ video: VideoID) async throws -> VideoStatus?
}

struct HTTPUploadCatalog: UploadCatalog {
    let metadata: MetadataClient

    func create(_ request: CreateVideoRequest) async throws -> CreateVideoResponse {
        // Not idempotent: only what surely never arrived, or was turned away, is sent again.
        try await Retry.interactive.run(while: Self.neverHappened) { try await metadata.createVideo(request) }
    }

    func publish(_ video: VideoID, _ request: PublishRequest) async throws {
        do {
            try await Retry.metadata.run { try await metadata.publish(video, request) }
        } catch {
            // The answer to an earlier try may have been lost, and the try itself not.
            guard Self.code(error) == .status(.conflict), try await status(video) == .active else { throw error }
        }
    }

    func markFailed(_ video: VideoID, reason: String) async throws {
        try await metadata.setStatus(video, StatusRequest(status: .failed, error: reason))
    }

    func markUploading(_ video: VideoID) async throws {
        try await metadata.setStatus(video, StatusRequest(status: .uploading, error: nil))
    }

    func status(_ video: VideoID) async throws -> VideoStatus? {
        do {
            return try await metadata.video(video).status
        } catch {
            guard Self.code(error) == .status(.notFound) else { throw error }
            return nil
        }
    }

    private static func neverHappened(_ error: any Error) -> Bool {
        [.connection, .status(.serviceUnavailable)].contains(code(error))
    }

    private static func code(_ error: any Error) -> HTTPClientError.Code? { (error as? HTTPClientError)?.code }
}
