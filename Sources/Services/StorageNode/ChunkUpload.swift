import Base
import ChunkPaxos
import ChunkStore
import HTTPTypes
import StorageNodeAPI

/// Takes an upload's body on the server's own thread, straight into the buffer that it is written to disk from.
final class ChunkUpload: BodySink, @unchecked Sendable {
    // The server calls one method at a time, so `received` needs no lock.
    private let writer: ChunkWriter
    private let id: ChunkID
    private let announcedBytes: Int?
    private let acceptance: ProvenAcceptance?
    private let nodeID: NodeID
    private let onStored: @Sendable (_ byteCount: Int) -> Void
    private var received = 0

    /// - Parameters:
    ///   - announcedBytes: how many bytes the chunk's value says; nil when no value came with it.
    ///   - acceptance: that of the value, for when it is durable.
    init(
        _ writer: ChunkWriter, id: ChunkID, announcedBytes: Int?, acceptance: ProvenAcceptance?, nodeID: NodeID,
        onStored: @escaping @Sendable (_ byteCount: Int) -> Void
    ) {
        self.writer = writer
        self.id = id
        self.announcedBytes = announcedBytes
        self.acceptance = acceptance
        self.nodeID = nodeID
        self.onStored = onStored
    }

    func receive(_ bytes: UnsafeRawBufferPointer) throws {
        received += bytes.count
        try writer.append(bytes)
    }

    func finish(_ respond: @escaping @Sendable (Result<Response, any Error>) -> Void) {
        if let announcedBytes, received > 0, received != announcedBytes {
            writer.abort()
            return respond(
                .failure(
                    Failure(
                        .invalidArgument, "chunk '\(id)' has \(received) bytes, but its value says \(announcedBytes)")))
        }
        writer.finish { [id, nodeID, acceptance, onStored, received] result in
            switch result {
            case .success(let outcome):
                onStored(received)
                respond(.success(Self.stored(id, outcome, acceptance)))
            case .failure(let error):
                respond(Self.refused(error, nodeID))
            }
        }
    }

    func abort() { writer.abort() }

    private static func stored(_ id: ChunkID, _ outcome: PutOutcome, _ acceptance: ProvenAcceptance?) -> Response {
        let status: HTTPStatus = if case .created = outcome { .created } else { .ok }
        let chunk = outcome.description
        var headers: HTTPHeaders = [
            "Location": "/chunk/\(id)", "ETag": EntityTag(chunk.checksum).header,
            StorageNodeHeader.size: String(chunk.sizeBytes), StorageNodeHeader.superblock: String(chunk.superblock),
        ]
        if let acceptance {
            headers.add(StorageNodeHeader.acceptor, acceptance.acceptor.description)
            headers.add(StorageNodeHeader.proof, acceptance.proof.hex)
        }
        return Response(status, headers: headers)
    }

    /// An acceptor that refuses shows what it has instead, so that the proposer knows what to do.
    private static func refused(_ error: ChunkStoreError, _ nodeID: NodeID) -> Result<Response, any Error> {
        guard case .rejected(let acceptor) = error.code else { return .failure(error) }
        return Result {
            let body = RejectionMessage(
                detail: error.message, nodeId: nodeID, promisedBallot: acceptor.promised,
                acceptedBallot: acceptor.accepted?.ballot,
                acceptedValue: try acceptor.accepted.map { try ChunkValue(encoded: $0.value) })
            return try Response.json(body, status: .conflict)
        }
    }
}

/// An acceptance, and what proves it once it is durable.
struct ProvenAcceptance: Sendable {
    let acceptor: AcceptorID
    private let key: AcceptanceProof
    private let id: ChunkID
    private let accepted: Acceptor.Accepted

    init(_ id: ChunkID, _ accepted: Acceptor.Accepted, _ service: StorageNodeService) {
        acceptor = service.store.acceptorID
        key = service.acceptanceProof
        self.id = id
        self.accepted = accepted
    }

    var proof: SHA256Digest { key.make(id, accepted.ballot, value: accepted.value, by: acceptor) }
}

/// The body of a 409 for an acceptance that was refused.
private struct RejectionMessage: Encodable {
    let detail: String
    let nodeId: NodeID
    let promisedBallot: Ballot?
    let acceptedBallot: Ballot?
    let acceptedValue: ChunkValue?
}
