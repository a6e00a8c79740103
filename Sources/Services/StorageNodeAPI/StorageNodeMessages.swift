import Base
import ChunkPaxos

/// Header names of the storage node's HTTP face.
package enum StorageNodeHeader {
    /// Hex SHA-256 the client expects the body to have.
    package static let checksum = "X-Chunk-Checksum"
    package static let size = "X-Chunk-Size"
    package static let superblock = "X-Superblock-ID"
    /// A PUT that carries both of these stores the bytes and accepts the value in one durable record: phase 2 of
    /// ballot 0. Ballot as ``Ballot/description``; value as base64 of the ``ChunkValue``'s canonical bytes.
    package static let ballot = "X-Paxos-Ballot"
    package static let value = "X-Paxos-Value"
    /// In the answer to such a PUT: who accepted, and the proof that it did (``AcceptanceProof``).
    package static let acceptor = "X-Paxos-Acceptor"
    package static let proof = "X-Paxos-Proof"
}

/// `POST /paxos/{chunk_id}/prepare`
package struct PrepareRequest: Codable, Sendable {
    package let configuration: Configuration
    package let ballot: Ballot

    package init(configuration: Configuration, ballot: Ballot) {
        self.configuration = configuration
        self.ballot = ballot
    }
}

/// `POST /paxos/{chunk_id}/accept`. The node accepts only a value whose bytes it holds.
package struct AcceptRequest: Codable, Sendable {
    package let configuration: Configuration
    package let ballot: Ballot
    package let value: ChunkValue

    package init(configuration: Configuration, ballot: Ballot, value: ChunkValue) {
        self.configuration = configuration
        self.ballot = ballot
        self.value = value
    }
}

/// `POST /paxos/{chunk_id}/install`
package struct InstallRequest: Codable, Sendable {
    package let configuration: Configuration

    package init(configuration: Configuration) { self.configuration = configuration }
}

/// What every `/paxos` call answers: the acceptor's state after it.
package struct AcceptorReport: Codable, Sendable {
    /// Whether the prepare, accept or install was granted; true for a read.
    package let granted: Bool
    package let nodeId: NodeID
    /// Which of the node's acceptors answers: the one of the disk that it has.
    package let acceptorId: AcceptorID?
    /// Of which instance the state is; nil before any message left something.
    package let configuration: Configuration?
    package let promisedBallot: Ballot?
    package let acceptedBallot: Ballot?
    package let acceptedValue: ChunkValue?
    /// Checksum of the bytes the node holds under the chunk's id; nil when it holds none.
    package let storedChecksum: SHA256Digest?
    package let storedSizeBytes: Int?

    package init(
        granted: Bool, nodeId: NodeID, acceptorId: AcceptorID?, configuration: Configuration?, promisedBallot: Ballot?,
        acceptedBallot: Ballot?, acceptedValue: ChunkValue?, storedChecksum: SHA256Digest?, storedSizeBytes: Int?
    ) {
        self.granted = granted
        self.nodeId = nodeId
        self.acceptorId = acceptorId
        self.configuration = configuration
        self.promisedBallot = promisedBallot
        self.acceptedBallot = acceptedBallot
        self.acceptedValue = acceptedValue
        self.storedChecksum = storedChecksum
        self.storedSizeBytes = storedSizeBytes
    }
}

/// `GET /paxos?after=&limit=`: a page of everything the node has promised, accepted or stored, in the order of the
/// chunk ids' SHA-256, which is the same on every node.
package struct AcceptorListing: Codable, Sendable {
    package static let limitMax = 2000

    /// An acceptor and the bytes beside it. The value is the text of the bytes that were accepted, as they were.
    package struct Entry: Codable, Sendable, Hashable {
        package let chunkId: ChunkID
        package let promisedBallot: Ballot?
        package let acceptedBallot: Ballot?
        package let acceptedValue: String?
        package let storedChecksum: SHA256Digest?
        package let storedSizeBytes: Int?

        package init(
            chunkId: ChunkID, promisedBallot: Ballot?, acceptedBallot: Ballot?, acceptedValue: String?,
            storedChecksum: SHA256Digest?, storedSizeBytes: Int?
        ) {
            self.chunkId = chunkId
            self.promisedBallot = promisedBallot
            self.acceptedBallot = acceptedBallot
            self.acceptedValue = acceptedValue
            self.storedChecksum = storedChecksum
            self.storedSizeBytes = storedSizeBytes
        }
    }

    package let nodeId: NodeID
    /// Which memory the node has; nil of one that does not say.
    package let acceptorId: AcceptorID?
    /// Where the node says that others reach it.
    package let nodeUrl: String
    package let version: String
    /// Chunks that the node holds, all in all: how long the list is, about.
    package let chunkCount: Int
    package let entries: [Entry]
    /// Records in this stretch of the list that the disk did not give.
    package let unreadableCount: Int
    /// What to ask for as `after` next; nil at the end.
    package let next: String?

    package init(
        nodeId: NodeID, acceptorId: AcceptorID?, nodeUrl: String, version: String, chunkCount: Int, entries: [Entry],
        unreadableCount: Int, next: String?
    ) {
        self.nodeId = nodeId
        self.acceptorId = acceptorId
        self.nodeUrl = nodeUrl
        self.version = version
        self.chunkCount = chunkCount
        self.entries = entries
        self.unreadableCount = unreadableCount
        self.next = next
    }
}
