import Base
import ChunkPaxos
import HTTPClient
import MetadataAPI
import StorageNodeAPI

/// What ``PlacementGroupSink`` needs of the network; a test brings its own.
package protocol ChunkNodes: Sendable {
    /// Returns once the node has the bytes durably, and with a ballot has accepted the value under it as durably.
    func put(_ id: ChunkID, _ bytes: [UInt8], ballot: Ballot?, value: ChunkValue, on node: GroupMember) async throws
    func fetch(_ id: ChunkID, from node: GroupMember) async throws -> [UInt8]
    func commit(_ id: ChunkID, _ request: CommitRequest) async throws
}

/// The real ones.
struct HTTPChunkNodes: ChunkNodes {
    let http: HTTPClient
    let metadata: MetadataClient

    func put(_ id: ChunkID, _ bytes: [UInt8], ballot: Ballot?, value: ChunkValue, on node: GroupMember) async throws {
        let client = StorageNodeClient(node.nodeUrl, http: http)
        if let ballot {
            try await client.store(id, bytes, ballot: ballot, value: value)
        } else {
            try await client.store(id, bytes, checksum: value.checksum)
        }
    }

    func fetch(_ id: ChunkID, from node: GroupMember) async throws -> [UInt8] {
        try await StorageNodeClient(node.nodeUrl, http: http).fetch(id)
    }

    func commit(_ id: ChunkID, _ request: CommitRequest) async throws { _ = try await metadata.commit(id, request) }
}
