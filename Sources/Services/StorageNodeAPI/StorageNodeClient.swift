import Base
import ChunkPaxos
import Foundation
import HTTPClient
import HTTPTypes

/// Calls a storage node.
package struct StorageNodeClient: Sendable {
    package let baseURL: String
    private let http: HTTPClient

    /// - Parameter baseURL: such as `http://localhost:8081`.
    package init(_ baseURL: String, http: HTTPClient) {
        self.baseURL = baseURL.hasSuffix("/") ? String(baseURL.dropLast()) : baseURL
        self.http = http
    }

    /// Stores the bytes and, in the same durable record, accepts `value` under `ballot`: returns only when both are
    /// safe.
    /// - Returns: the acceptor's proof; nil from a node that gives none.
    /// - Throws: ``HTTPClientError``; status 409 when the node has promised or accepted otherwise, or has no vote.
    @discardableResult
    package func store(
        _ id: ChunkID, _ bytes: [UInt8], ballot: Ballot, value: ChunkValue
    ) async throws -> AcceptanceProofHeaders? {
        var request = put(id, bytes, value.checksum)
        request.headers[StorageNodeHeader.ballot] = ballot.description
        request.headers[StorageNodeHeader.value] = Data(try value.encoded()).base64EncodedString()
        let response = try await http.send(request)
        try response.requireSuccess()
        return AcceptanceProofHeaders(response.headers)
    }

    /// Stores the bytes alone: what they are is agreed on afterwards.
    /// - Throws: ``HTTPClientError``; status 409 when the node holds other bytes under that id.
    package func store(_ id: ChunkID, _ bytes: [UInt8], checksum: SHA256Digest) async throws {
        try await http.send(put(id, bytes, checksum)).requireSuccess()
    }

    private func put(_ id: ChunkID, _ bytes: [UInt8], _ checksum: SHA256Digest) -> ClientRequest {
        var request = ClientRequest(.put, "\(baseURL)/chunk/\(id)", body: .bytes(bytes))
        request.headers[StorageNodeHeader.checksum] = checksum.hex
        request.headers["Content-Type"] = "application/octet-stream"
        return request
    }

    /// The chunk's bytes, unverified: the caller knows the checksum they must have.
    package func fetch(_ id: ChunkID, range: Range<Int>? = nil, timeout: Duration = .seconds(30)) async throws
        -> [UInt8]
    {
        var request = ClientRequest.get("\(baseURL)/chunk/\(id)")
        if let range { request.headers["Range"] = "bytes=\(range.lowerBound)-\(range.upperBound - 1)" }
        request.totalTimeout = timeout
        let response = try await http.send(request)
        try response.requireSuccess()
        return response.body
    }

    /// Removes the chunk; that it was not there is no error.
    package func delete(_ id: ChunkID) async throws {
        let response = try await http.send(ClientRequest(.delete, "\(baseURL)/chunk/\(id)"))
        if response.status != .notFound { try response.requireSuccess() }
    }

    package func prepare(
        _ id: ChunkID, in configuration: Configuration, _ ballot: Ballot
    ) async throws -> AcceptorReport {
        try await paxos(id, "prepare", PrepareRequest(configuration: configuration, ballot: ballot))
    }

    package func accept(
        _ id: ChunkID, in configuration: Configuration, _ ballot: Ballot, _ value: ChunkValue
    ) async throws -> AcceptorReport {
        try await paxos(id, "accept", AcceptRequest(configuration: configuration, ballot: ballot, value: value))
    }

    /// Takes the acceptor to the configuration, whose base was chosen.
    package func install(_ id: ChunkID, _ configuration: Configuration) async throws -> AcceptorReport {
        try await paxos(id, "install", InstallRequest(configuration: configuration))
    }

    /// What the acceptor has promised and accepted, and what it holds.
    package func read(_ id: ChunkID) async throws -> AcceptorReport {
        struct Empty: Encodable {}
        return try await paxos(id, "read", Empty())
    }

    /// A page of everything the node knows.
    /// - Parameter after: what the page before names as `next`.
    package func acceptors(after: String?, limit: Int) async throws -> AcceptorListing {
        let place = after.map { "&after=\($0)" } ?? ""
        return try await http.send(.get("\(baseURL)/paxos?limit=\(limit)\(place)")).decoded(as: AcceptorListing.self)
    }

    private func paxos(_ id: ChunkID, _ phase: String, _ body: some Encodable) async throws -> AcceptorReport {
        var request = try ClientRequest.json(.post, "\(baseURL)/paxos/\(id)/\(phase)", body)
        request.totalTimeout = .seconds(5)
        return try await http.send(request).decoded(as: AcceptorReport.self)
    }
}

/// What the answer to a PUT that was accepted says of the acceptance.
package struct AcceptanceProofHeaders: Sendable, Hashable {
    package let acceptor: AcceptorID
    package let proof: SHA256Digest

    package init(acceptor: AcceptorID, proof: SHA256Digest) {
        self.acceptor = acceptor
        self.proof = proof
    }

    init?(_ headers: HTTPHeaders) {
        guard let acceptor = headers[StorageNodeHeader.acceptor].flatMap({ AcceptorID($0) }),
            let proof = headers[StorageNodeHeader.proof].flatMap({ SHA256Digest($0) })
        else { return nil }
        self.init(acceptor: acceptor, proof: proof)
    }
}
