import Base
import ChunkDelivery
import Media
import MetadataAPI

// From the answer to the published video.
extension Uploads {
    /// A video that failed is reported for as long as this.
    static let reporting = Retry(first: .milliseconds(200), last: .seconds(30), total: .seconds(86_400))

    /// Does `work` when the upload's turn has come, and sees to what becomes of the session when it throws.
    func process(
        _ id: String, _ accepted: AcceptedUpload, _ ticket: Turnstile.Ticket,
        _ work: @escaping @Sendable () async throws -> Void
    ) async {
        let life = Task { await showLife(of: accepted.video.videoId) }
        do {
            try await turnstile.pass(ticket, work)
        } catch {
            await fail(id, accepted.video.videoId, error)
        }
        life.cancel()
        // Nothing of an upload outlives it: once all are over, another may have the folder.
        await life.value
    }

    /// Makes and stores everything of the upload, and publishes it.
    func store(_ id: String, _ job: UploadJob, _ accepted: AcceptedUpload, isCreator: Bool) async throws {
        let sink = makeSink(accepted.video, await noteStarted(id) && isCreator)
        let pipeline = UploadPipeline(
            tools: configuration.tools, chunkBytesMax: accepted.chunkBytesMax,
            chunkSecondsTarget: accepted.chunkSecondsTarget)
        let (publication, chunkCount) = try await pipeline.run(
            job, into: sink, report: { [sessions] progress in sessions.update(id) { $0.on(progress) } },
            playable: { try await self.publishEarly(id, accepted.video.videoId, $0) })
        sessions.update(id) { $0.onFinalizing(totalChunks: chunkCount) }
        await sink.mend()
        try await catalog.publish(accepted.video.videoId, publication)
        await noteCompleted(id, accepted)
        await finish(id, job, sink)
    }

    /// Makes a video playable whose original is still to be stored. Noted first: a restart that finds the video active must
    /// know that something is left to do.
    private func publishEarly(_ id: String, _ video: VideoID, _ publication: PublishRequest) async throws {
        try await sessions.noteDurably(id) { $0.isOriginalDue = true }
        try await catalog.publish(video, publication)
    }

    /// Before anything is proposed: a restart must know whether it may still be the creator.
    /// - Returns: whether it would know.
    private func noteStarted(_ id: String) async -> Bool {
        do {
            try await sessions.noteDurably(id) { $0.session.onStarted() }
            return true
        } catch {
            log.warning("an upload's start could not be noted", ["session": id, "error": error.message])
            return false
        }
    }

    func noteCompleted(_ id: String, _ accepted: AcceptedUpload) async {
        await sessions.note(id) { entry in
            entry.session.onCompleted()
            entry.isOriginalDue = nil
            entry.isReported = true
        }
        completed.add()
        log.info("an upload is complete", ["session": id, "video": "\(accepted.video.videoId)"])
    }

    /// The thumbnail, for which nobody waits to play, and then nothing is left to do with the file.
    func finish(_ id: String, _ job: UploadJob, _ sink: any ChunkSink) async {
        do {
            let jpeg = try await RenditionProducer(configuration.tools).thumbnail(job.received.file.path, job.info)
            if jpeg.count <= configuration.chunkBytesMax {
                let chunk = PlannedChunk(sequence: 0, bytes: jpeg, startSeconds: 0, durationSeconds: 0)
                try await sink.store(OutgoingChunk(stream: .thumbnail, chunk: chunk))
                await sink.mend()
            }
        } catch {
            guard !Task.isCancelled else { return }
            log.warning("a video has no thumbnail", ["file": job.received.filename, "error": "\(error)"])
        }
        await forget(id)
    }

    /// Lets go of an upload's file, after which a restart has nothing to do for it.
    func forget(_ id: String) async {
        TemporaryFile.remove(id, in: configuration.temporaryFolder)
        await sessions.note(id) { $0.accepted = nil }
    }

    /// Until its task is cancelled. An answer is not needed: the next sign comes soon.
    private func showLife(of video: VideoID) async {
        while (try? await Task.sleep(for: signOfLife)) != nil { try? await catalog.markUploading(video) }
    }

    private func fail(_ id: String, _ video: VideoID, _ error: any Error) async {
        // Stopped, and not failed: the next start goes on.
        if Task.isCancelled { return }
        let reason =
            (error as? any PresentableError)?.message ?? "something went wrong in the service; its log has the reason"
        log.warning(
            "an upload failed",
            [
                "session": id, "video": "\(video)", "reason": reason,
                "detail": (error as? MediaError)?.detail ?? "\(error)",
            ])
        failed.add()
        await sessions.note(id) { $0.session.onFailed(reason) }
        await forget(id)
        // On its own, so that the next upload has its turn however long the catalog is away.
        run { await self.report(id, video, reason) }
    }

    /// Enters the failure in the catalog. Given up when the service stops; the next start goes on then.
    func report(_ id: String, _ video: VideoID, _ reason: String) async {
        do {
            try await Self.reporting.run { try await catalog.markFailed(video, reason: reason) }
        } catch {
            // Gone from the catalog, or settled otherwise: there is nothing left to say.
            if Task.isCancelled || Retry.isUnavailable(error) { return }
        }
        await sessions.note(id) { $0.isReported = true }
    }
}

extension UploadSession {
    fileprivate mutating func on(_ progress: UploadPipeline.Progress) {
        switch progress {
        case .produced(let fraction): onProduced(fraction: fraction)
        case .firstChunk: onFirstChunk()
        case .stored(let fraction): onStored(fraction: fraction)
        }
    }
}
