import Base
import ChunkPaxos
import HTTPClient
import MetadataAPI
import StorageNodeAPI

/// What ``PlacementGroupSink`` needs of the network; a test brings its own.
package protocol ChunkNodes: Sendable {
    /// Returns once the node has the bytes durably, and with a ballot has accepted the value under it as durably.
    /// - Returns: the proof of that acceptance, if the node gives one.
    func put(
        _ id: ChunkID, _ bytes: [UInt8], ballot: Ballot?, value: ChunkValue, on node: GroupMember
    ) async throws -> AcceptanceMessage?
    func fetch(_ id: ChunkID, from node: GroupMember) async throws -> [UInt8]
    func commit(_ id: ChunkID, _ request: CommitRequest) async throws
}

/// The real ones.
package struct HTTPChunkNodes: ChunkNodes {
    /// How a commit is asked for.
    package typealias Commit = @Sendable (ChunkID, CommitRequest) async throws -> Void

    private let http: HTTPClient
    private let commit: Commit

    package init(http: HTTPClient, commit: @escaping Commit) {
        self.http = http
        self.commit = commit
    }

    package init(http: HTTPClient, metadata: MetadataClient) {
        self.init(http: http) { _ = try await metadata.commit($0, $1) }
    }

    package func put(
        _ id: ChunkID, _ bytes: [UInt8], ballot: Ballot?, value: ChunkValue, on node: GroupMember
    ) async throws -> AcceptanceMessage? {
        let client = StorageNodeClient(node.nodeUrl, http: http)
        guard let ballot else {
            try await client.store(id, bytes, checksum: value.checksum)
            return nil
        }
        return try await client.store(id, bytes, ballot: ballot, value: value)
            .map { AcceptanceMessage(nodeId: node.nodeId, acceptorId: $0.acceptor, proof: $0.proof) }
    }

    package func fetch(_ id: ChunkID, from node: GroupMember) async throws -> [UInt8] {
        try await StorageNodeClient(node.nodeUrl, http: http).fetch(id)
    }

    package func commit(_ id: ChunkID, _ request: CommitRequest) async throws { try await commit(id, request) }
}
