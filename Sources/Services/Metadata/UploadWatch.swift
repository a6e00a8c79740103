import Base
import Catalog
import Synchronization

/// Fails uploads of which nothing is heard any more: their uploader was killed before it could note that the video was
/// its own, or is gone for good. Nobody else would ever end them.
///
/// Signs of life stand in the catalog, so a restart forgets none. An uploader that has no chunk to commit, since the
/// video waits for its turn, says every few minutes that it is there.
final class UploadWatch: Sendable {
    /// Between two looks. The first is as long after the start: time for those who waited to be heard again.
    private static let intervalSecMax = 900.0

    private let catalog: any Catalog
    private let silenceSecMax: Double
    private let time: any TimeSource
    private let onFailed: @Sendable (VideoID) -> Void
    private let logger = Logger("metadata-service")
    private let task = Locked<Task<Void, Never>?>(nil)

    init(
        catalog: any Catalog, silenceSecMax: Double, time: any TimeSource,
        onFailed: @escaping @Sendable (VideoID) -> Void
    ) {
        self.catalog = catalog
        self.silenceSecMax = silenceSecMax
        self.time = time
        self.onFailed = onFailed
    }

    /// Begins; once is enough.
    func start() {
        task.withLock { task in
            guard task == nil else { return }
            task = Task { await run() }
        }
    }

    func stop() async {
        let task = task.withLock { $0 }
        task?.cancel()
        await task?.value
    }

    private func run() async {
        let interval = Duration.seconds(min(silenceSecMax / 4, Self.intervalSecMax))
        while true {
            do {
                try await Task.sleep(for: interval)
            } catch {
                return
            }
            do {
                try await pass()
            } catch {
                logger.warning("uploads that nobody goes on with could not be ended", ["error": "\(error)"])
            }
        }
    }

    /// One look at all that are uploading.
    func pass() async throws {
        let hours = (silenceSecMax / 360).rounded() / 10
        let reason = "nothing was heard of the upload for \(hours) hours; upload it again"
        let silentSince = time.now().adding(seconds: -silenceSecMax)
        for id in try await catalog.failUploads(silentSince: silentSince, error: reason) {
            onFailed(id)
            logger.warning("an upload was given up", ["video_id": "\(id)", "reason": reason])
        }
    }
}
