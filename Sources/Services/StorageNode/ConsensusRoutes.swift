import Base
import ChunkPaxos
import ChunkStore
import HTTPTypes
import StorageNodeAPI

/// `/paxos` and `/paxos/{chunk_id}/…`: the node as its chunks' acceptor.
struct ConsensusRoutes: Sendable {
    /// A value has 4 KiB at most; the rest is the message around it.
    private static let bodyBytesMax = 16 * ByteCount.kibibyte

    private static let pageDefault = 500

    private let service: StorageNodeService
    private let store: ChunkStore
    private let nodeID: NodeID

    init(_ service: StorageNodeService) {
        self.service = service
        store = service.store
        nodeID = service.configuration.nodeID
    }

    func add(to router: inout Router) {
        router.json(
            .post, "/paxos/{chunk_id}/prepare", "Phase 1 of consensus about a chunk", PrepareRequest.self,
            limit: Self.bodyBytesMax
        ) { request, body in
            try report(try await store.prepare(try request.chunkID(), body.ballot))
        }
        router.json(
            .post, "/paxos/{chunk_id}/accept", "Phase 2 of consensus about a chunk", AcceptRequest.self,
            limit: Self.bodyBytesMax
        ) { request, body in
            let accepted = Acceptor.Accepted(ballot: body.ballot, value: try body.value.encoded())
            return try report(
                try await store.accept(
                    try request.chunkID(), accepted, checksum: body.value.checksum, sizeBytes: body.value.sizeBytes))
        }
        router.task(.post, "/paxos/{chunk_id}/read", "What the acceptor has promised and accepted") { request in
            let view = try await store.acceptorView(try request.chunkID())
            return try report(AcceptorOutcome(isGranted: true, view: view))
        }
        router.add(.get, "/paxos", "Page by page, everything the node has promised, accepted or stored") { view in
            let limit = try view.integer("limit", default: Self.pageDefault, in: 1...AcceptorListing.limitMax)
            let after = try view.query("after").map(Self.cursor)
            return .task { try .json(try await list(after: after, limit: limit)) }
        }
    }

    private static func cursor(_ text: String) throws(Failure) -> ListingCursor {
        guard let cursor = ListingCursor(text) else {
            throw Failure(.invalidArgument, "'after' is '\(text.prefix(80))', which is not \(ListingCursor.textForm)")
        }
        return cursor
    }

    private func list(after cursor: ListingCursor?, limit: Int) async throws -> AcceptorListing {
        let page = try await store.acceptorPage(after: cursor, limit: limit)
        return AcceptorListing(
            nodeId: nodeID, acceptorId: store.acceptorID, nodeUrl: service.announcedURL, version: Version.current,
            chunkCount: store.chunkCount, entries: page.entries.map { AcceptorListing.Entry($0.id, $0.view) },
            unreadableCount: page.unreadableCount, next: page.next?.description)
    }

    private func report(_ outcome: AcceptorOutcome) throws -> Response {
        let (acceptor, chunk) = (outcome.view.acceptor, outcome.view.chunk)
        return try Response.json(
            AcceptorReport(
                granted: outcome.isGranted, nodeId: nodeID, promisedBallot: acceptor.promised,
                acceptedBallot: acceptor.accepted?.ballot,
                acceptedValue: try acceptor.accepted.map { try ChunkValue(encoded: $0.value) },
                storedChecksum: chunk?.checksum, storedSizeBytes: chunk?.sizeBytes))
    }
}

extension AcceptorListing.Entry {
    fileprivate init(_ id: ChunkID, _ view: AcceptorView) {
        let accepted = view.acceptor.accepted
        self.init(
            chunkId: id, promisedBallot: view.acceptor.promised, acceptedBallot: accepted?.ballot,
            acceptedValue: accepted.map { String(decoding: $0.value, as: UTF8.self) },
            storedChecksum: view.chunk?.checksum, storedSizeBytes: view.chunk?.sizeBytes)
    }
}
