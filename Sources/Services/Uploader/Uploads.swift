import Base
import ChunkDelivery
import Foundation
import HTTPTypes
import Media
import MetadataAPI
import Synchronization
import TemporaryStorage
import UploaderAPI

/// Everything the uploader does, from a form's first byte to a published video: the shell around ``UploadSession``.
///
/// An upload that was acknowledged is the journal's: whatever ends the process, the next start goes on with it.
package final class Uploads: Sendable {
    /// Makes the way into the store for a video. `isCreator` as in ``PlacementGroupSink``.
    package typealias SinkMaker = @Sendable (_ video: CreateVideoResponse, _ isCreator: Bool) -> any ChunkSink

    /// What a form may have beside the file.
    static let formBytesMax = ByteCount.mebibyte

    package let space: TemporarySpace
    let sessions: SessionStore
    let received = Counter()
    let resumed = Counter()
    let completed = Counter()
    let failed = Counter()

    let configuration: UploaderConfiguration
    let signOfLife: Duration
    let catalog: any UploadCatalog
    let makeSink: SinkMaker
    let turnstile: Turnstile
    let probe: MediaProbe
    let log = Logger("uploader-service")

    private let lock: FolderLock
    /// What the last run left to do, the oldest first.
    private let left: [SessionJournal.Entry]

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
        makeSink: @escaping SinkMaker
    ) throws(Failure) {
        self.configuration = configuration
        self.signOfLife = signOfLife
        self.catalog = catalog
        self.makeSink = makeSink
        let folder = configuration.temporaryFolder
        lock = try FolderLock(folder, setting: "TEMP_DIR")
        space = TemporarySpace(folder: folder)
        let journal = try SessionJournal(folder: folder)
        let entries = journal.load().map(Self.recovered)
        journal.sweep(keeping: Set(entries.filter { $0.accepted != nil }.map(\.session.id)))
        sessions = SessionStore(journal: journal, recovered: entries)
        left = entries.filter { $0.accepted != nil || !$0.isReported }
        turnstile = Turnstile(places: configuration.concurrentUploadsMax)
        probe = MediaProbe(configuration.tools)
    }

    /// Goes on with what the last run left.
    package func start() { for entry in left { resume(entry) } }

    /// Ends what is under way; the next start goes on with it.
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

    /// Does `work` beside everything else, and cancels it when the service stops. A service that has stopped begins
    /// nothing: the journal tells the next start.
    func run(_ work: @escaping @Sendable () async -> Void) {
        background.withLock { background in
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
