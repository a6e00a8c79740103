import Base
import Foundation
import HTTPTypes
import Media
import MetadataAPI
import Synchronization
import UploaderAPI

/// Everything the uploader does, from a form's first byte to a published video: the shell around ``UploadSession``.
package final class Uploads: Sendable {
    static let shutdownReason = "the service was stopped before the upload was done; upload it again"
    static let restartReason = "interrupted by a restart; upload it again"
    /// A video that failed is reported for as long as this.
    private static let reporting = Retry(first: .milliseconds(200), last: .seconds(30), total: .seconds(86_400))

    package let space: TemporarySpace
    let sessions: SessionStore
    let received = Counter()
    let completed = Counter()
    let failed = Counter()

    private let configuration: UploaderConfiguration
    private let signOfLife: Duration
    private let catalog: any UploadCatalog
    private let makeSink: @Sendable (CreateVideoResponse) -> any ChunkSink
    private let lock: FolderLock
    private let unreported: [UploadSession]
    private let turnstile: Turnstile
    private let probe: MediaProbe
    private let pipeline: UploadPipeline
    private let log = Logger("uploader-service")
    private struct Background {
        var tasks: [Int: Task<Void, Never>] = [:]
        var nextKey = 0
        var isStopped = false
    }

    private let background = Locked(Background())

    /// - Parameter signOfLife: how often the catalog hears of an upload that waits; far less than after what silence it
    ///   takes one for lost.
    /// - Throws: ``Failure`` when the temporary folder cannot be used.
    package init(
        configuration: UploaderConfiguration, catalog: any UploadCatalog, signOfLife: Duration = .seconds(300),
        makeSink: @escaping @Sendable (CreateVideoResponse) -> any ChunkSink
    ) throws(Failure) {
        self.configuration = configuration
        self.signOfLife = signOfLife
        self.catalog = catalog
        self.makeSink = makeSink
        let folder = configuration.temporaryFolder
        lock = try FolderLock(folder)
        space = TemporarySpace(folder: folder)
        let journal = try SessionJournal(folder: folder)
        journal.sweep()
        let entries = journal.load().map(Self.interrupted)
        sessions = SessionStore(journal: journal, recovered: entries.map(\.session))
        unreported = entries.filter { !$0.isReported }.map(\.session)
        turnstile = Turnstile(places: configuration.concurrentUploadsMax)
        probe = MediaProbe(configuration.tools)
        pipeline = UploadPipeline(
            tools: configuration.tools, chunkBytesMax: configuration.chunkBytesMax,
            chunkSecondsTarget: configuration.chunkSecondsTarget)
    }

    /// Settles what the last run left: tells the catalog which videos failed.
    package func start() {
        for session in unreported { run { await self.settle(session) } }
    }

    /// Ends what is under way; each such session fails and says why, or is settled by the next start.
    package func stop() async {
        let running = background.withLock { background in
            background.isStopped = true
            return background.tasks
        }
        for task in running.values { task.cancel() }
        for task in running.values { await task.value }
    }

    /// Promises room for a body of that length, before any of it is read.
    /// - Throws: ``Failure``: 413, or 507.
    package func reserve(contentLength: Int?) throws(Failure) -> SpaceReservation {
        if let contentLength, contentLength - Self.formBytesMax > configuration.uploadBytesMax {
            throw Failure(
                .tooLarge,
                "the upload is \(ByteCount.text(contentLength)): at most "
                    + "\(ByteCount.text(configuration.uploadBytesMax)) are taken")
        }
        return try space.reserve(contentLength ?? 0)
    }

    /// What a form may have beside the file.
    static let formBytesMax = ByteCount.mebibyte

    /// Takes the form in, looks at the file, enters the video, and goes on in the background.
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
            let job = UploadJob(received: upload, info: try await probe.examine(upload.file.path))
            let video = try await catalog.create(
                CreateVideoRequest(
                    title: upload.title, durationSec: job.info.durationSeconds, filename: upload.filename)
            )
            await sessions.updateDurably(id, isReported: false) { $0.onRegistered(video.videoId) }
            let ticket = turnstile.ticket()
            run { await self.process(id, job, video, ticket) }
            return UploadResponse(
                videoId: video.videoId, uploadSessionId: id, title: upload.title, status: .processing,
                message: "Video upload received and processing started", statusUrl: "/upload/status/\(id)")
        } catch {
            sessions.remove(id)
            if let error = error as? MediaError {
                log.info("an upload was refused", ["reason": error.message, "detail": error.detail])
            }
            throw error
        }
    }

    private func process(_ id: String, _ job: UploadJob, _ video: CreateVideoResponse, _ ticket: Turnstile.Ticket) async
    {
        let life = Task { await showLife(of: video.videoId) }
        await complete(id, job, video, ticket)
        life.cancel()
        // Nothing of an upload outlives it: once all are over, another may have the folder.
        await life.value
    }

    private func complete(_ id: String, _ job: UploadJob, _ video: CreateVideoResponse, _ ticket: Turnstile.Ticket)
        async
    {
        do {
            try await turnstile.pass(ticket) {
                sessions.update(id) { $0.onStarted() }
                let sink = makeSink(video)
                let (publication, chunkCount) = try await pipeline.run(job, into: sink) { [sessions] progress in
                    sessions.update(id) { $0.on(progress) }
                }
                await sessions.updateDurably(id, isReported: false) { $0.onFinalizing(totalChunks: chunkCount) }
                await sink.mend()
                try await catalog.publish(video.videoId, publication)
                await sessions.updateDurably(id) { $0.onCompleted() }
                completed.add()
                log.info("an upload is complete", ["session": id, "video": "\(video.videoId)"])
                await storeThumbnail(job, sink)
            }
        } catch {
            await fail(id, video.videoId, error)
        }
    }

    /// Until its task is cancelled. An answer is not needed: the next sign comes soon.
    private func showLife(of video: VideoID) async {
        while (try? await Task.sleep(for: signOfLife)) != nil { try? await catalog.markUploading(video) }
    }

    /// After `completed`, because nobody waits for a picture to play.
    private func storeThumbnail(_ job: UploadJob, _ sink: any ChunkSink) async {
        do {
            let jpeg = try await RenditionProducer(configuration.tools).thumbnail(job.received.file.path, job.info)
            guard jpeg.count <= configuration.chunkBytesMax else { return }
            let chunk = PlannedChunk(sequence: 0, bytes: jpeg, startSeconds: 0, durationSeconds: 0)
            try await sink.store(OutgoingChunk(stream: .thumbnail, chunk: chunk))
        } catch {
            log.warning("a video has no thumbnail", ["file": job.received.filename, "error": "\(error)"])
        }
    }

    private func fail(_ id: String, _ video: VideoID, _ error: any Error) async {
        let reason =
            Task.isCancelled || error is CancellationError
            ? Self.shutdownReason
            : (error as? any PresentableError)?.message ?? "something went wrong in the service; its log has the reason"
        log.warning(
            "an upload failed",
            [
                "session": id, "video": "\(video)", "reason": reason,
                "detail": (error as? MediaError)?.detail ?? "\(error)",
            ])
        failed.add()
        await sessions.updateDurably(id, isReported: false) { $0.onFailed(reason) }
        // On its own, so that the file is gone however long the catalog is away.
        run { await self.report(id, video, reason) }
    }

    /// Enters the failure in the catalog. Given up when the service stops; the next start goes on then.
    private func report(_ id: String, _ video: VideoID, _ reason: String) async {
        do {
            try await Self.reporting.run { try await catalog.markFailed(video, reason: reason) }
        } catch {
            // Gone from the catalog, or settled otherwise: there is nothing left to say.
            if Task.isCancelled || Retry.isUnavailable(error) { return }
        }
        await sessions.updateDurably(id) { _ in }
    }

    /// What a kill interrupted: failed, unless the video was published after all.
    private func settle(_ session: UploadSession) async {
        guard let video = session.videoID else { return }
        if session.status == .finalizing {
            let status = try? await Self.reporting.run { try await catalog.status(video) }
            if Task.isCancelled { return }
            if status == .active {
                await sessions.updateDurably(session.id) { $0.onCompleted() }
                return
            }
        }
        await sessions.updateDurably(session.id, isReported: false) { $0.onFailed(Self.restartReason) }
        await report(session.id, video, sessions.session(session.id)?.error ?? Self.restartReason)
    }

    private static func interrupted(_ entry: SessionJournal.Entry) -> SessionJournal.Entry {
        var entry = entry
        // While it was being published nobody here knows whether it was; the catalog does.
        if !entry.session.isFinal, entry.session.status != .finalizing { entry.session.onFailed(restartReason) }
        return entry
    }

    private func run(_ work: @escaping @Sendable () async -> Void) {
        background.withLock { background in
            // Stopped meanwhile: the journal tells the next start.
            guard !background.isStopped else { return }
            let key = background.nextKey
            background.nextKey += 1
            background.tasks[key] = Task {
                await work()
                self.background.withLock { _ = $0.tasks.removeValue(forKey: key) }
            }
        }
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
