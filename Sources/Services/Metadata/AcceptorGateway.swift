import Base
import ChunkPaxos
import HTTPClient
import StorageNodeAPI

/// How the metadata service talks to storage nodes; a seam, so that tests need no network.
protocol AcceptorGateway: Sendable {
    func read(_ chunk: ChunkID, at url: String) async throws -> AcceptorReport
    func prepare(_ chunk: ChunkID, _ ballot: Ballot, at url: String) async throws -> AcceptorReport
    func accept(_ chunk: ChunkID, _ ballot: Ballot, _ value: ChunkValue, at url: String) async throws -> AcceptorReport
    /// Removes the chunk; that it was not there is no error.
    func delete(_ chunk: ChunkID, at url: String) async throws
}

/// The real one.
struct HTTPAcceptorGateway: AcceptorGateway {
    let http: HTTPClient

    func read(_ chunk: ChunkID, at url: String) async throws -> AcceptorReport {
        try await StorageNodeClient(url, http: http).read(chunk)
    }

    func prepare(_ chunk: ChunkID, _ ballot: Ballot, at url: String) async throws -> AcceptorReport {
        try await StorageNodeClient(url, http: http).prepare(chunk, ballot)
    }

    func accept(
        _ chunk: ChunkID, _ ballot: Ballot, _ value: ChunkValue, at url: String
    ) async throws -> AcceptorReport {
        try await StorageNodeClient(url, http: http).accept(chunk, ballot, value)
    }

    func delete(_ chunk: ChunkID, at url: String) async throws {
        try await StorageNodeClient(url, http: http).delete(chunk)
    }
}
