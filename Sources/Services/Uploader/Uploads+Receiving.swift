import Base
import Foundation
import HTTPTypes
import Media
import MetadataAPI
import TemporaryStorage
import UploaderAPI

// From a form's first byte to the answer.
extension Uploads {
    /// Takes the form in, looks at the file, enters the video, and goes on in the background.
    ///
    /// When this returns the file and the session are durable: no crash loses the upload.
    /// - Throws: what is wrong with the form or the file; nothing is left of it then.
    package func receive(_ form: FormStream, reservation: SpaceReservation, contentLength: Int?) async throws
        -> UploadResponse
    {
        let id = UUID().uuidString.lowercased()
        do {
            let sessions = sessions
            var fields = UploadForm(
                folder: configuration.temporaryFolder, name: id, reservation: reservation,
                bytesMax: configuration.uploadBytesMax,
                began: { sessions.add(UploadSession(id: id, filename: $0, startedAt: SystemTime().now())) },
                received: { bytes in sessions.update(id) { $0.onReceived(bytes: bytes, of: contentLength) } })
            let upload = try await fields.receive(form)
            received.add()
            sessions.update(id) { $0.onReceivedAll(title: upload.title) }
            async let isDurable: Void = upload.file.synchronize()
            let job = UploadJob(received: upload, info: try await probe.examine(upload.file.path))
            try await isDurable
            let accepted = try await accept(id, job)
            let ticket = turnstile.ticket()
            run {
                await self.process(id, accepted, ticket) { try await self.store(id, job, accepted, isCreator: true) }
            }
            return UploadResponse(
                videoId: accepted.video.videoId, uploadSessionId: id, title: upload.title, status: .processing,
                message: "Video upload received and processing started", statusUrl: "/upload/status/\(id)")
        } catch {
            sessions.remove(id)
            if let error = error as? MediaError {
                log.info("an upload was refused", ["reason": error.message, "detail": error.detail])
            }
            throw error
        }
    }

    /// Enters the video in the catalog, and makes the upload the journal's.
    private func accept(_ id: String, _ job: UploadJob) async throws -> AcceptedUpload {
        let upload = job.received
        let video = try await catalog.create(
            CreateVideoRequest(
                title: upload.title, durationSec: job.info.durationSeconds, filename: upload.filename))
        let accepted = AcceptedUpload(
            contentType: upload.contentType, sizeBytes: upload.file.sizeBytes, checksum: upload.checksum, video: video,
            chunkBytesMax: configuration.chunkBytesMax, chunkSecondsTarget: configuration.chunkSecondsTarget)
        do {
            try await sessions.noteDurably(id) { entry in
                entry.session.onRegistered(video.videoId)
                entry.accepted = accepted
            }
        } catch {
            run { await self.report(id, video.videoId, error.message) }
            throw error
        }
        upload.file.keep()
        return accepted
    }
}
