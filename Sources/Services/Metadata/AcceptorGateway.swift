import Base
import ChunkPaxos
import HTTPClient
import StorageNodeAPI

/// How the metadata service talks to storage nodes; a seam, so that tests need no network.
protocol AcceptorGateway: Sendable {
    func read(_ chunk: ChunkID, at url: String) async throws -> AcceptorReport
    func prepare(
        _ chunk: ChunkID, in configuration: Configuration, _ ballot: Ballot, at url: String
    ) async throws -> AcceptorReport
    func accept(
        _ chunk: ChunkID, in configuration: Configuration, _ ballot: Ballot, _ value: ChunkValue, at url: String
    ) async throws -> AcceptorReport
    /// The chunk's bytes, unverified.
    func fetch(_ chunk: ChunkID, at url: String) async throws -> [UInt8]
    /// Stores the bytes; with a ballot, the value is accepted under it, in version 0, in the same durable record.
    func store(_ chunk: ChunkID, _ bytes: [UInt8], ballot: Ballot?, value: ChunkValue, at url: String) async throws
    /// Removes the chunk; that it was not there is no error.
    func delete(_ chunk: ChunkID, at url: String) async throws
}

/// The real one.
struct HTTPAcceptorGateway: AcceptorGateway {
    let http: HTTPClient

    func read(_ chunk: ChunkID, at url: String) async throws -> AcceptorReport {
        try await StorageNodeClient(url, http: http).read(chunk)
    }

    func prepare(
        _ chunk: ChunkID, in configuration: Configuration, _ ballot: Ballot, at url: String
    ) async throws -> AcceptorReport {
        try await StorageNodeClient(url, http: http).prepare(chunk, in: configuration, ballot)
    }

    func accept(
        _ chunk: ChunkID, in configuration: Configuration, _ ballot: Ballot, _ value: ChunkValue, at url: String
    ) async throws -> AcceptorReport {
        try await StorageNodeClient(url, http: http).accept(chunk, in: configuration, ballot, value)
    }

    func fetch(_ chunk: ChunkID, at url: String) async throws -> [UInt8] {
        try await StorageNodeClient(url, http: http).fetch(chunk)
    }

    func store(
        _ chunk: ChunkID, _ bytes: [UInt8], ballot: Ballot?, value: ChunkValue, at url: String
    ) async throws {
        let node = StorageNodeClient(url, http: http)
        if let ballot {
            try await node.store(chunk, bytes, ballot: ballot, value: value)
        } else {
            try await node.store(chunk, bytes, checksum: value.checksum)
        }
    }

    func delete(_ chunk: ChunkID, at url: String) async throws {
        try await StorageNodeClient(url, http: http).delete(chunk)
    }
}
