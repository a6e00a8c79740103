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
    let scrubber: Scrubber
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
        let counters = StorageNodeCounters(metrics, store: store, disk: disk)
        self.counters = counters
        var scrubbing = Scrubber.Options()
        scrubbing.bytesPerSecond = configuration.scrubBytesPerSecond
        scrubbing.intervalSeconds = configuration.scrubIntervalSeconds
        scrubber = Scrubber(store: store, options: scrubbing) { counters.load }
        counters.add(scrubber, to: metrics)
        reportOpening()
    }

    package func addRoutes(to router: inout Router) {
        ChunkRoutes(self).add(to: &router)
        PingRoutes(self).add(to: &router)
        ConsensusRoutes(self).add(to: &router)
        ScrubRoutes(self).add(to: &router)
    }

    /// Chunks that `/health` names.
    private static let damagedNamesMax = 20

    package func health() async -> HealthReport {
        await store.lookedForSpace()
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
                "scrub": .text(scrubber.progress.state.rawValue),
            ])
        report.fields["reason"] = verdict.reason.map { .text($0) }
        if statistics.corruptChunks > 0 {
            report.fields["corrupt"] = .texts(store.corruptChunks.prefix(Self.damagedNamesMax).map(\.description))
        }
        return report
    }

    /// Where others reach the node; empty before it is started.
    var announcedURL: String { ownURL.withLock { $0 } }

    package func start(url: String) async throws {
        let url = configuration.nodeURL ?? url
        ownURL.withLock { $0 = url }
        scrubber.start()
        guard let registry else { return }
        let registration = Registration(
            registry: registry,
            request: RegisterNodeRequest(
                nodeUrl: url, nodeId: configuration.nodeID, version: Version.current, zone: configuration.zone,
                acceptorId: store.acceptorID, proofKey: ProofKey(proofKey)),
            intervalSeconds: configuration.heartbeatSeconds
        ) { [store, disk, configuration] in
            await store.lookedForSpace()
            let usage = disk.current.percent
            let statistics = store.statistics
            return HeartbeatRequest(
                diskUsagePercent: usage, chunkCount: store.chunkCount, corruptChunks: store.corruptChunks,
                impairment: HealthVerdict(statistics, diskPercent: usage, configuration).impairment,
                capacityBytes: DiskUsage.capacityBytes(of: configuration.dataDirectory),
                storedBytes: statistics.chunkBytes)
        }
        heartbeats.withLock { $0 = Task { await registration.run() } }
    }

    package func stop() async {
        let task = heartbeats.withLock { $0 }
        task?.cancel()
        await task?.value
        await scrubber.stopped()
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
