import Base
import ChunkPaxos
import Digests
import Dispatch
import Synchronization

/// Chunks in an append-only log of superblocks, durable before they are acknowledged, verified whenever they are read.
///
/// Invariants:
/// - The index names only durable records. Whoever finds a chunk in it may acknowledge it.
/// - Changes to one id happen one after the other (``claim(_:_:)``); different ids do not wait for each other.
/// - No lock is held over I/O, but for `growth`, which only writers take that need the next stretch of disk, and
///   `maintenance`, which only compaction and checkpoints take.
/// - After a failed synchronization nothing is written any more.
/// - What was found damaged is not served again, and is known for as long as it stays so.
package final class ChunkStore: Sendable {
    package struct Options: Sendable {
        /// Size at which a superblock is closed and the next begun. At least one record always fits.
        package var superblockBytesMax = ByteCount.gibibyte
        package var chunkBytesMax = 2 * ByteCount.mebibyte
        /// The most disk space reserved ahead at once.
        package var preallocationBytesMax = 64 * ByteCount.mebibyte
        /// Bodies held in memory at once.
        package var writersMax = 256
        /// How long after the last write a record says that everything before it is durable.
        package var markerDelay: DispatchTimeInterval = .seconds(1)
        /// Below this share of bytes that are still needed, a superblock's rest moves on and its file goes.
        package var compactionLivePercent = 50
        /// As few bytes to be won are not worth beginning the next superblock for.
        package var compactionBytesMin = ByteCount.mebibyte
        /// How fast compaction copies when nobody waits for it.
        package var compactionBytesPerSecond = 32 * ByteCount.mebibyte
        /// Disk space that chunks may not take: with it, a full node can still delete and compact. nil means what the
        /// rest of one superblock may need, but no more than a fiftieth of the disk.
        package var reserveBytes: Int?
        /// Whether compaction and checkpoints happen by themselves, and not only when they are called for.
        package var maintainsItself = true
        /// The node that this store's acceptor is at, as memberships name it; without one it has no voice.
        package var node: NodeID?
        /// How often it looks whether there is something to do.
        package var maintenanceInterval: DispatchTimeInterval = .seconds(1)
        package var time: any TimeSource = SystemTime()
        /// Where the store's identity and the salts of its files come from. Nobody may guess them.
        package var randomBytes: @Sendable (_ count: Int) -> [UInt8] = SecureRandom.bytes
        /// Takes the place of the store's threads. What waits there when the store is closed is done then.
        package var steps: StepQueue?
        #if DEBUG
            /// What is wrong with the store, on purpose.
            package var defect: Defect?
        #endif

        package init() {}
    }

    struct State: ~Copyable {
        var chunks: ChunkIndex
        var acceptors: ChunkIndex
        var usages: SuperblockUsages
        var superblocks: [UInt32: Superblock]
        /// The superblock that is written to.
        var activeNumber: UInt32
        /// Of the active superblock, and of those before it that are not closed yet.
        var tails: [UInt32: LogTail]
        var nextSequence: UInt64
        /// Superblocks that are missing though nothing says that they were removed.
        var lostNumbers: [UInt32]
        /// Holes that a failed write left and that no void record fills yet.
        var holes: [Hole] = []
        var claims: [IndexKey: [@Sendable () -> Void]] = [:]
        var isClosed = false
        var statistics: ChunkStoreStatistics
        var quarantine = Quarantine()
    }

    struct Hole {
        let superblock: Superblock
        let range: Range<Int>
    }

    /// Changes that may wait for another change to the same id.
    static let queuedChangesMax = 256
    /// A record up to this size stays in the page cache after it was written.
    static let cachedRecordBytesMax = 64 * ByteCount.kibibyte

    /// Who this store is, as an acceptor too.
    package let id: StoreID
    let directory: String
    let options: Options
    let fileSystem: any FileSystem
    let state: Locked<State>
    /// Held while the log gets more room: a longer file, or the next one.
    let growth = Locked(())
    /// Held by compaction and checkpoints: one at a time.
    let maintenance: Locked<Maintenance>
    let maintenanceThread = MaintenanceThread()
    let committer: GroupCommitter<Commit>
    let buffers: BufferPool
    /// Everything that was begun and is not settled.
    let underWay = DispatchGroup()
    /// Where changes go on that had to wait for another of the same id, when there is no ``StepQueue``.
    let resumption = DispatchQueue(label: "vstack.store.resumption", attributes: .concurrent)
    /// Keeps other processes out until the store is closed.
    private let directoryLock: Locked<(any AnyObject & Sendable)?>

    /// Opens the store in `directory`, and makes one where there is nothing.
    ///
    /// Reads the whole log. Damage in the middle is skipped, counted in ``statistics`` and left for the owner to
    /// report; unfinished writes at the end are cleared away.
    /// - Throws: ``ChunkStoreError``: `inUse` when another process has the directory; `unreadable` when there is a store
    ///   that cannot be read as a whole. It never opens as empty what was not empty.
    package init(
        directory: String, options: Options = Options(), fileSystem: any FileSystem = LinuxFileSystem()
    ) throws(ChunkStoreError) {
        RecordHeader.assertLayout()
        CheckpointFormat.assertLayout()
        let opening = StoreOpening(directory: directory, options: options, fileSystem: fileSystem)
        let beganAt = ContinuousClock.now
        let opened = try opening.open()
        let checkpointSequence = opened.log.checkpointSequence
        id = opened.store
        directoryLock = Locked(opened.lock)
        self.directory = directory
        self.options = options
        self.fileSystem = fileSystem
        buffers = BufferPool(
            bufferBytes: RecordHeader.length(
                idLength: ChunkID.lengthMax, metadataLength: RecordHeader.metadataBytesMax,
                payloadLength: options.chunkBytesMax),
            buffersMax: options.writersMax)
        committer = GroupCommitter(steps: options.steps)
        state = Locked(opened.makeState())
        let openingTime = ContinuousClock.now - beganAt
        state.withLock { $0.statistics.openingSeconds = openingTime / .seconds(1) }
        maintenance = Locked(Maintenance(checkpointSequence: checkpointSequence))
        committer.start(
            name: "vstack-commit", idleDelay: options.markerDelay,
            commit: { [weak self] in self?.commit($0) }, idle: { [weak self] in self?.writeIdleMarker() })
        startMaintenance()
    }

    deinit {
        maintenanceThread.stop()
        committer.stop()
    }

    package var statistics: ChunkStoreStatistics {
        state.withLock { state in
            var statistics = state.statistics
            statistics.chunkCount = state.chunks.count
            statistics.superblockCount = state.superblocks.count
            statistics.corruptChunks = state.quarantine.chunks.count
            for candidate in state.compactionCandidates {
                statistics.liveBytes += candidate.neededBytes
                statistics.deadBytes += candidate.usedBytes - candidate.neededBytes
            }
            statistics.indexBytes = state.chunks.residentBytes + state.acceptors.residentBytes
            return statistics
        }
    }

    /// Number of chunks; cheaper than ``statistics``.
    package var chunkCount: Int { state.withLock { $0.chunks.count } }

    /// Chunks whose record was found damaged, and that were neither stored again nor deleted since. At most 1000 of
    /// them; the statistics count all.
    package var corruptChunks: [ChunkID] { state.withLock { $0.quarantine.names } }

    /// Lets what is under way finish, refuses everything new, and gives back disk space that was reserved ahead.
    /// Blocks; chunks that were read stay valid.
    package func close() {
        let wasClosed = state.withLock { state in
            defer { state.isClosed = true }
            return state.isClosed
        }
        guard !wasClosed else { return }
        // A compaction under way ends at its next record.
        maintenanceThread.stop()
        maintenance.withLock { _ in }
        options.steps?.runAll()
        underWay.wait()
        closeTails()
        checkpointAtEnd()
        committer.stop()
        directoryLock.withLock { $0 = nil }
    }
}
