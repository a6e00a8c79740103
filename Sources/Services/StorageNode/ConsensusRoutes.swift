import Base
import ChunkPaxos
import ChunkStore
import HTTPTypes
import StorageNodeAPI

/// `/paxos/{chunk_id}/…`: the node as its chunks' acceptor.
struct ConsensusRoutes: Sendable {
    /// A value has 4 KiB at most; the rest is the message around it.
    private static let bodyBytesMax = 16 * ByteCount.kibibyte

    private let store: ChunkStore
    private let nodeID: NodeID

    init(_ service: StorageNodeService) {
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
