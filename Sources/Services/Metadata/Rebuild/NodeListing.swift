import Base
import HTTPClient
import StorageNodeAPI

/// How a rebuild reads storage nodes; a seam, so that tests need no network.
protocol NodeListing: Sendable {
    func page(of url: String, after: String?, limit: Int) async throws -> AcceptorListing
    func bytes(of chunk: ChunkID, at url: String) async throws -> [UInt8]
}

/// The real one.
struct HTTPNodeListing: NodeListing {
    let http: HTTPClient

    func page(of url: String, after: String?, limit: Int) async throws -> AcceptorListing {
        try await StorageNodeClient(url, http: http).acceptors(after: after, limit: limit)
    }

    func bytes(of chunk: ChunkID, at url: String) async throws -> [UInt8] {
        try await StorageNodeClient(url, http: http).fetch(chunk)
    }
}
