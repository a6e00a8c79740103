import Base
import Catalog
import CatalogSQLite
import HTTPClient
import HTTPTypes
import Hosting
import Jobs
import MetadataAPI

/// The metadata service (8080): what videos there are, what their chunks are and where, and which nodes are well.
///
/// Consensus is the storage nodes' own; this service learns what they chose before it says so to anybody.
package final class MetadataService: Service {
    package let name = "metadata-service"
    package let metrics = Metrics()

    let configuration: MetadataConfiguration
    let catalog: any Catalog
    let registry: NodeRegistry
    let gateway: any AcceptorGateway
    let terms: VideoTermsCache
    let committer: ChunkCommitter
    let reaper: Reaper
    let journal: JournalKeeper
    let uploadWatch: UploadWatch
    let leaseWatch: LeaseWatch
    let jobPolicy: JobPolicy
    let manifests: ManifestCache
    let follower: CatalogFollower
    let rendering: Rendering
    let time: any TimeSource
    let counters: MetadataCounters
    let logger = Logger("metadata-service")

    /// Opens the catalog.
    /// - Throws: ``CatalogError`` whose message names the file.
    package convenience init(configuration: MetadataConfiguration, http: HTTPClient) throws {
        let catalog = try CatalogSQLite(path: configuration.databasePath)
        self.init(
            configuration: configuration, catalog: catalog, nodes: catalog.nodesWhenOpened,
            gateway: HTTPAcceptorGateway(http: http))
    }

    /// - Parameter nodes: those that the catalog knows already.
    init(
        configuration: MetadataConfiguration, catalog: any Catalog, nodes: [Node], gateway: any AcceptorGateway,
        time: any TimeSource = SystemTime(), policy: ChunkCommitter.Policy = ChunkCommitter.Policy(),
        reaperInterval: Duration = .seconds(5), journalPace: JournalKeeper.Pace? = nil
    ) {
        self.configuration = configuration
        self.catalog = catalog
        self.gateway = gateway
        self.time = time
        registry = NodeRegistry(nodes: nodes, timeoutSec: configuration.nodeTimeoutSec, time: time)
        terms = VideoTermsCache(catalog: catalog)
        let proposers = ProposerNumbers()
        committer = ChunkCommitter(
            catalog: catalog, registry: registry, gateway: gateway, translation: configuration.translation,
            terms: terms, proposers: proposers, policy: policy, time: time)
        reaper = Reaper(catalog: catalog, registry: registry, gateway: gateway, interval: reaperInterval, time: time)
        let pace = journalPace ?? JournalKeeper.Pace(counters: .seconds(configuration.journalIntervalSec))
        let writer = JournalWriter(
            catalog: catalog, registry: registry, gateway: gateway, proposers: proposers,
            chunkBytesMax: configuration.chunkSizeBytes, straggler: pace.straggler)
        let journal = JournalKeeper(
            catalog: catalog, registry: registry, writer: writer, metrics: metrics, pace: pace)
        self.journal = journal
        let manifests = ManifestCache()
        self.manifests = manifests
        follower = CatalogFollower(
            catalog: catalog, registry: registry, manifests: manifests, nodeTimeoutSec: configuration.nodeTimeoutSec)
        uploadWatch = UploadWatch(
            catalog: catalog, silenceSecMax: configuration.uploadSilenceSec, time: time,
            onFailed: {
                manifests.invalidate($0)
                journal.submit($0)
            })
        jobPolicy = JobPolicy(leaseSec: configuration.leaseSec, attemptsMax: configuration.attemptsMax)
        leaseWatch = LeaseWatch(catalog: catalog, policy: jobPolicy, time: time)
        rendering = Rendering(configuration: configuration)
        counters = MetadataCounters(metrics, registry)
    }

    package func addRoutes(to router: inout Router) {
        router.task(.get, "/", "What this service is") { _ in
            try .json(ServiceMessage(message: "V-Stack Metadata Service", version: Version.current))
        }
        router.task(.get, "/stats", "How much there is") { _ in try await self.statistics() }
        addVideoRoutes(to: &router)
        addReadingRoutes(to: &router)
        addChunkRoutes(to: &router)
        addNodeRoutes(to: &router)
        addJobRoutes(to: &router)
        addUnitRoutes(to: &router)
    }

    package func health() async -> HealthReport {
        let nodes = registry.view
        let journalDue = try? await catalog.journalDueCount()
        let isDatabaseHealthy = journalDue != nil
        let healthy = nodes.count(.healthy)
        let isServing = healthy + nodes.count(.degraded) > 0
        return HealthReport(
            status: isDatabaseHealthy ? (isServing ? "healthy" : "degraded") : "critical",
            fields: [
                "healthy_nodes": .integer(healthy), "total_nodes": .integer(nodes.entries.count),
                "database_status": isDatabaseHealthy ? "healthy" : "unhealthy",
                "journal_due": .integer(journalDue ?? 0),
            ])
    }

    package func start(url: String) async throws {
        let registered = Set(registry.view.entries.map(\.node.url))
        let missing = configuration.expectedNodes.filter { !registered.contains(NodeURL($0)?.text ?? $0) }
        if !missing.isEmpty {
            logger.info("waiting for storage nodes to register", ["nodes": missing.joined(separator: ", ")])
        }
        follower.start()
        reaper.start()
        journal.start()
        uploadWatch.start()
        leaseWatch.start()
    }

    package func stop() async {
        await uploadWatch.stop()
        await leaseWatch.stop()
        await reaper.stop()
        await journal.stop()
        await follower.stop()
        await catalog.close()
    }

    private func statistics() async throws -> Response {
        let totals = try await catalog.statistics()
        return try .json(
            StatisticsMessage(
                totalVideos: totals.videos, totalChunks: totals.chunks, totalReplicas: totals.replicas,
                healthyNodes: registry.view.count(.healthy), serviceVersion: Version.current))
    }
}

/// What the service counts.
struct MetadataCounters: Sendable {
    let commits: Counter
    let conflicts: Counter
    let manifestsCached: Counter
    let manifestsRendered: Counter

    init(_ metrics: Metrics, _ registry: NodeRegistry) {
        let name = "vstack_metadata_commits_total"
        let help = "Chunk commits that were answered, by outcome."
        commits = metrics.counter(name, help, labels: #"outcome="committed""#)
        conflicts = metrics.counter(name, help, labels: #"outcome="conflict""#)
        let manifests = "vstack_metadata_manifests_total"
        let source = "Manifests that were sent, from memory or rendered anew."
        manifestsCached = metrics.counter(manifests, source, labels: #"source="memory""#)
        manifestsRendered = metrics.counter(manifests, source, labels: #"source="catalog""#)
        for status in [NodeStatus.healthy, .degraded, .down] {
            metrics.gauge("vstack_metadata_nodes", "Storage nodes by status.", labels: "status=\"\(status)\"") {
                Double(registry.view.count(status))
            }
        }
    }
}
