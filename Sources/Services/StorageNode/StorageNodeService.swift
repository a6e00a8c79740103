import Base
import ChunkPaxos
import ChunkStore
import Digests
import HTTPClient
import HTTPTypes
import Hosting
import MetadataAPI
import StorageNodeAPI
import Synchronization

/// The storage node: keeps chunks, is their acceptor, and tells the metadata service that it lives.
package final class StorageNodeService: Service {
    package let name = "storage-node"
    package let metrics = Metrics()

    let configuration: StorageNodeConfiguration
    let store: ChunkStore
    let disk: DiskUsage
    let counters: StorageNodeCounters
    /// Makes the proofs of what this node accepts; its key is new with every start.
    let acceptanceProof: AcceptanceProof
    private let proofKey = SecureRandom.bytes(ProofKey.byteCount)
    private let registry: (any NodeRegistry)?
    private let startedAt = ContinuousClock.now
    private let heartbeats = Locked<Task<Void, Never>?>(nil)
    private let ownURL = Locked("")
    private let log = Logger("storage-node")

    /// Opens the store in the configuration's data directory.
    /// - Throws: ``ChunkStoreError`` when the directory is in use or its store cannot be read.
    package convenience init(configuration: StorageNodeConfiguration, http: HTTPClient) throws {
        let registry = configuration.metadataURL.map { MetadataClient($0, http: http) }
        try self.init(
            configuration: configuration, registry: registry, disk: DiskUsage(directory: configuration.dataDirectory))
    }

    init(
        configuration: StorageNodeConfiguration, registry: (any NodeRegistry)?, disk: DiskUsage,
        fileSystem: any FileSystem = LinuxFileSystem()
    ) throws {
        var options = ChunkStore.Options()
        options.superblockBytesMax = configuration.superblockBytesMax
        options.chunkBytesMax = configuration.chunkBytesMax
        options.node = configuration.nodeID
        options.compactionLivePercent = configuration.compactionLivePercent
        options.compactionBytesPerSecond = configuration.compactionBytesPerSecond
        self.configuration = configuration
        self.registry = registry
        self.disk = disk
        acceptanceProof = AcceptanceProof(key: proofKey)
        store = try ChunkStore(directory: configuration.dataDirectory, options: options, fileSystem: fileSystem)
        counters = StorageNodeCounters(metrics, store: store, disk: disk)
        reportOpening()
    }

    package func addRoutes(to router: inout Router) {
        ChunkRoutes(self).add(to: &router)
        PingRoutes(self).add(to: &router)
        ConsensusRoutes(self).add(to: &router)
    }

    package func health() async -> HealthReport {
        let statistics = store.statistics
        let usage = disk.current.percent
        let verdict = HealthVerdict(statistics, diskPercent: usage, configuration)
        var report = HealthReport(
            status: verdict.status,
            fields: [
                "disk_usage": .number(usage), "chunk_count": .integer(statistics.chunkCount),
                "uptime": .integer(Int((ContinuousClock.now - startedAt).components.seconds)),
                "node_id": .text(configuration.nodeID.description),
                "acceptor_id": .text(store.acceptorID.description),
                "corrupt_chunks": .integer(statistics.corruptChunks),
                "corrupt_records": .integer(statistics.corruptRecords),
            ])
        report.fields["reason"] = verdict.reason.map { .text($0) }
        return report
    }

    /// Where others reach the node; empty before it is started.
    var announcedURL: String { ownURL.withLock { $0 } }

    package func start(url: String) async throws {
        let url = configuration.nodeURL ?? url
        ownURL.withLock { $0 = url }
        guard let registry else { return }
        let registration = Registration(
            registry: registry,
            request: RegisterNodeRequest(
                nodeUrl: url, nodeId: configuration.nodeID, version: Version.current, acceptorId: store.acceptorID,
                proofKey: ProofKey(proofKey)),
            intervalSeconds: configuration.heartbeatSeconds
        ) { [store, disk] in
            HeartbeatRequest(
                diskUsagePercent: disk.current.percent, chunkCount: store.chunkCount,
                corruptChunks: store.corruptChunks, impairment: HealthVerdict.impairment(store.statistics))
        }
        heartbeats.withLock { $0 = Task { await registration.run() } }
    }

    package func stop() async {
        let task = heartbeats.withLock { $0 }
        task?.cancel()
        await task?.value
        await store.closed()
    }

    private func reportOpening() {
        let statistics = store.statistics
        log.info(
            "the chunk store is open",
            [
                "chunks": "\(statistics.chunkCount)", "superblocks": "\(statistics.superblockCount)",
                "from": "\(statistics.openingMode)", "seconds": "\(statistics.openingSeconds)",
            ])
        if statistics.lostSuperblocks > 0 {
            log.error("superblocks are missing", ["count": "\(statistics.lostSuperblocks)"])
        }
        if statistics.tornRecords > 0 {
            log.info("unfinished writes were cleared away", ["count": "\(statistics.tornRecords)"])
        }
        if statistics.corruptRecords > 0 {
            log.error(
                "the log is damaged; what stood there is lost on this node",
                ["stretches": "\(statistics.corruptRecords)", "bytes": "\(statistics.corruptRecordBytes)"])
        }
    }
}

/// How a node is, in one word and one sentence.
struct HealthVerdict: Equatable {
    let status: String
    let reason: String?

    /// Why the node takes no chunks, or has no vote on them, so that no new video is placed on it while others are
    /// there; nil when it can do both.
    static func impairment(_ statistics: ChunkStoreStatistics) -> String? {
        if let reason = statistics.readOnlyReason { return "read-only until restarted: \(reason)" }
        return statistics.corruptRecords > 0 ? "records of its log are lost, so it has no vote" : nil
    }

    init(_ statistics: ChunkStoreStatistics, diskPercent: Double, _ configuration: StorageNodeConfiguration) {
        let damaged = statistics.corruptChunks + statistics.corruptRecords
        (status, reason) =
            if let reason = statistics.readOnlyReason {
                ("critical", "read-only until restarted: \(reason)")
            } else if diskPercent > configuration.diskCriticalPercent {
                ("critical", "the disk is \(diskPercent) % full; writes are refused")
            } else if damaged > 0 {
                ("degraded", "\(damaged) chunks or records are damaged on disk")
            } else if diskPercent >= configuration.diskWarningPercent {
                ("warning", "the disk is \(diskPercent) % full")
            } else {
                ("healthy", nil)
            }
    }
}
