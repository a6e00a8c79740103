import Base
import ChunkDelivery
import Media
import MetadataAPI
import TemporaryStorage
import UploaderAPI

// What a start does for the uploads that the last run left.
extension Uploads {
    static let restartReason = "interrupted by a restart; upload it again"

    /// An entry as a start finds it: what was never acknowledged has failed.
    static func recovered(_ entry: SessionJournal.Entry) -> SessionJournal.Entry {
        var entry = entry
        if entry.accepted == nil, !entry.session.isFinal { entry.session.onFailed(restartReason) }
        return entry
    }

    /// Begins what is left to do for the session.
    func resume(_ entry: SessionJournal.Entry) {
        let (id, status) = (entry.session.id, entry.session.status)
        guard let accepted = entry.accepted, status != .failed else {
            return run {
                if entry.accepted != nil { await self.forget(id) }
                guard !entry.isReported, let video = entry.session.videoID else { return }
                await self.report(id, video, entry.session.error ?? Self.restartReason)
            }
        }
        let ticket = turnstile.ticket()
        run {
            await self.process(id, accepted, ticket) {
                // Nothing can have been proposed of what had not been started.
                try await self.goOn(
                    id, accepted, isCreator: status == .processing, isOriginalDue: entry.isOriginalDue == true)
            }
        }
    }

    private func goOn(
        _ id: String, _ accepted: AcceptedUpload, isCreator: Bool, isOriginalDue: Bool
    ) async throws {
        let video = accepted.video.videoId
        switch try await Self.reporting.run({ try await catalog.status(video) }) {
        case .active where isOriginalDue: try await storeAgain(id, accepted, isCreator: isCreator)
        case .active:
            if sessions.session(id)?.isFinal == false { await noteCompleted(id, accepted) }
            guard let job = try? await reopen(id, accepted) else { return await forget(id) }
            await finish(id, job, makeSink(accepted.video, false))
        case .uploading:
            // It may have been silent for long.
            try await catalog.markUploading(video)
            try await storeAgain(id, accepted, isCreator: isCreator)
        case .failed: throw Failure(.conflict, Self.restartReason)
        case .deleted, nil: throw Failure(.notFound, "the video was deleted before its upload was done")
        }
    }

    /// What is stored already is found to be there.
    private func storeAgain(_ id: String, _ accepted: AcceptedUpload, isCreator: Bool) async throws {
        resumed.add()
        let job = try await reopen(id, accepted)
        log.info("an upload goes on after a restart", ["session": id, "video": "\(accepted.video.videoId)"])
        do {
            try await store(id, job, accepted, isCreator: isCreator)
        } catch let error as any PresentableError where !isCreator && error.category == .conflict {
            throw Failure(
                .conflict,
                "interrupted by a restart, after which the video could not be made the same; upload it again",
                cause: error)
        }
    }

    /// The upload as it was when it was acknowledged.
    /// - Throws: ``Failure`` when its file is not what it was, ``MediaError`` when it is no video any more.
    private func reopen(_ id: String, _ accepted: AcceptedUpload) async throws -> UploadJob {
        guard let session = sessions.session(id) else { throw Failure(.notFound, "there is no session \(id)") }
        let file: TemporaryFile
        do {
            file = try await TemporaryFile(
                kept: id, in: configuration.temporaryFolder, sizeBytes: accepted.sizeBytes, checksum: accepted.checksum)
        } catch let error as Failure {
            throw Failure(
                error.category, "interrupted by a restart, and \(error.message); upload it again", cause: error)
        }
        let upload = ReceivedUpload(
            file: file, reservation: try space.reserve(0), filename: session.filename,
            contentType: accepted.contentType, title: session.title, checksum: accepted.checksum)
        return UploadJob(received: upload, info: try await probe.examine(file.path))
    }
}
