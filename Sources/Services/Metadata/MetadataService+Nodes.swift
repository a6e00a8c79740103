import Base
import Catalog
import ChunkPaxos
import HTTPTypes
import MetadataAPI
import Placement

extension MetadataService {
    /// Corrupt chunks that are kept of a heartbeat; a node with more is beyond listing.
    private static let corruptChunksMax = 1000
    private static let versionBytesMax = 100
    /// Characters of a node's own words that are kept.
    private static let impairmentMax = 500

    func addNodeRoutes(to router: inout Router) {
        router.task(.get, "/nodes/healthy", "Storage nodes that are healthy") { _ in
            try .json(self.registry.view.summaries(only: .healthy))
        }
        router.task(.get, "/nodes/all", "Every storage node") { _ in
            try .json(NodesMessage(nodes: self.registry.view.summaries()))
        }
        router.task(.get, "/nodes/health-summary", "How many storage nodes are well") { _ in
            let nodes = self.registry.view
            return try .json(
                HealthSummaryMessage(
                    healthy: nodes.count(.healthy), degraded: nodes.count(.degraded), down: nodes.count(.down)))
        }
        router.add(.post, "/nodes/register", "Enter a storage node, by query parameters or a JSON body") { view in
            let request = view.snapshot()
            return .body(limit: ByteCount.mebibyte) { bytes in
                try await self.register(try Self.registration(request, bytes))
            }
        }
        router.json(.post, "/nodes/{node_id}/heartbeat", "A storage node's report of itself", HeartbeatRequest.self) {
            request, body in try await self.heartbeat(request.parameters["node_id"], body)
        }
    }

    private static func registration(_ request: Request, _ bytes: [UInt8]) throws -> RegisterNodeRequest {
        guard request.query("node_url") != nil || request.query("node_id") != nil else {
            return try JSON.decode(RegisterNodeRequest.self, from: bytes)
        }
        func required(_ name: String) throws(Failure) -> String {
            guard let value = request.query(name), !value.isEmpty else {
                throw Failure(.invalidArgument, "'\(name)' is missing")
            }
            return value
        }
        let text = try required("node_id")
        guard let id = NodeID(text) else { throw notANodeID(text) }
        return RegisterNodeRequest(
            nodeUrl: try required("node_url"), nodeId: id, version: request.query("version"),
            zone: request.query("zone"))
    }

    private func register(_ body: RegisterNodeRequest) async throws -> Response {
        guard let url = NodeURL(body.nodeUrl)?.text else {
            throw Failure(
                .invalidArgument, "'\(body.nodeUrl.prefix(80))' is no node_url: it must be an http or https URL")
        }
        let version = body.version ?? "1.0.0"
        guard version.utf8.count <= Self.versionBytesMax else {
            throw Failure(.invalidArgument, "'version' is longer than \(Self.versionBytesMax) bytes")
        }
        let known = registry.view.entry(body.nodeId)?.node
        let zone = body.zone ?? Placement.defaultZone
        guard Placement.isZone(zone) else {
            throw Failure(
                .invalidArgument, "'\(zone.prefix(80))' is no zone: it must be 1 to 64 printable characters, no spaces")
        }
        let node = Node(
            id: body.nodeId, url: url, version: version, zone: zone, lastHeartbeat: time.now(),
            report: known?.report ?? NodeReport(),
            acceptor: body.acceptorId ?? known?.acceptor, proofKey: body.proofKey?.bytes)
        try await catalog.registerNode(node)
        registry.register(node)
        reaper.wake()
        journal.wake()
        logger.info("a storage node registered", ["node_id": "\(node.id)", "node_url": url])
        noteReplacement(of: known?.acceptor, by: node)
        return try .json(RegisteredMessage(status: "registered", nodeId: node.id, nodeUrl: url))
    }

    /// A node that comes with another disk is another acceptor. It holds nothing of what it held, and has no vote in
    /// groups that were made before; their other members go on without it.
    private func noteReplacement(of former: AcceptorID?, by node: Node) {
        guard let former, let present = node.acceptor, former != present else { return }
        logger.warning(
            "a storage node came back with another disk: what it held is to be copied to it again",
            ["node_id": "\(node.id)", "former_acceptor": "\(former)", "acceptor": "\(present)"])
    }

    private func heartbeat(_ text: String, _ body: HeartbeatRequest) async throws -> Response {
        guard let id = NodeID(text) else { throw Self.notANodeID(text) }
        guard (0...100).contains(body.diskUsagePercent), body.chunkCount >= 0 else {
            throw Failure(
                .invalidArgument, "'disk_usage_percent' must be a number from 0 to 100, 'chunk_count' 0 or more")
        }
        guard (body.capacityBytes ?? 1) > 0, (body.storedBytes ?? 0) >= 0 else {
            throw Failure(.invalidArgument, "'capacity_bytes' must be 1 or more, 'stored_bytes' 0 or more")
        }
        let space = body.capacityBytes.map { Placement.Space(capacityBytes: $0, storedBytes: body.storedBytes ?? 0) }
        let report = NodeReport(
            diskUsagePercent: body.diskUsagePercent, chunkCount: body.chunkCount,
            corruptChunks: Array((body.corruptChunks ?? []).prefix(Self.corruptChunksMax)),
            space: space, impairment: body.impairment.map { String($0.prefix(Self.impairmentMax)) })
        let known = registry.view.entry(id)
        // A catalog that was made anew knows which acceptor a node is, and not what its proofs are checked with.
        guard known?.node.acceptor == nil || known?.node.proofKey != nil else {
            throw Failure(
                .notFound, "storage node '\(id)' is known from before the catalog was lost: it has to register")
        }
        let wasDown = known?.status == .down
        guard let now = registry.heartbeat(of: id, report) else {
            throw Failure(.notFound, "no storage node '\(id)' is registered: it has to register first")
        }
        try await catalog.recordHeartbeat(of: id, report, at: now)
        if wasDown {
            reaper.wake()
            journal.wake()
        }
        return try .json(OutcomeMessage(status: "ok", message: "Heartbeat updated for node \(id)"))
    }

    private static func notANodeID(_ text: String) -> Failure {
        Failure(
            .invalidArgument, "'\(text.prefix(80))' is no node_id: it must be 1 to 128 printable characters, no spaces")
    }
}
