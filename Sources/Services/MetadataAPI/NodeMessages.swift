import Base
import ChunkPaxos

package enum NodeStatus: String, Codable, Sendable {
    case healthy, degraded, down
}

/// A row of `GET /nodes/healthy` and `GET /nodes/all`.
package struct NodeSummary: Codable, Sendable {
    package let nodeUrl: String
    package let nodeId: NodeID
    package let status: NodeStatus
    package let lastHeartbeat: Timestamp
    package let diskUsagePercent: Double
    package let chunkCount: Int
    package let version: String
    /// Damaged on the node's disk, and not served by it.
    package let corruptChunks: [ChunkID]
    /// What fails together with it, such as a rack.
    package let zone: String
    /// The acceptor that the node is: that of its present disk. nil of a node that never said.
    package let acceptorId: AcceptorID?
    /// What the node says it cannot do, and why; nil when it can do all, or is down.
    package let impairment: String?

    package init(
        nodeUrl: String, nodeId: NodeID, status: NodeStatus, lastHeartbeat: Timestamp, diskUsagePercent: Double,
        chunkCount: Int, version: String, corruptChunks: [ChunkID], zone: String, acceptorId: AcceptorID? = nil,
        impairment: String? = nil
    ) {
        self.nodeUrl = nodeUrl
        self.nodeId = nodeId
        self.status = status
        self.lastHeartbeat = lastHeartbeat
        self.diskUsagePercent = diskUsagePercent
        self.chunkCount = chunkCount
        self.version = version
        self.corruptChunks = corruptChunks
        self.zone = zone
        self.acceptorId = acceptorId
        self.impairment = impairment
    }
}

/// `POST /nodes/register`, as a JSON body or as query parameters of the same names.
package struct RegisterNodeRequest: Codable, Sendable {
    package let nodeUrl: String
    package let nodeId: NodeID
    package let version: String?
    /// What fails together with the node, such as a rack; nil when it names none.
    package let zone: String?
    /// The identity of the node's disk; another one than before means that what was there is gone.
    package let acceptorId: AcceptorID?
    /// Checks the node's proofs from now on; never shown.
    package let proofKey: ProofKey?

    package init(
        nodeUrl: String, nodeId: NodeID, version: String?, zone: String? = nil, acceptorId: AcceptorID? = nil,
        proofKey: ProofKey? = nil
    ) {
        self.nodeUrl = nodeUrl
        self.nodeId = nodeId
        self.version = version
        self.zone = zone
        self.acceptorId = acceptorId
        self.proofKey = proofKey
    }
}

/// `POST /nodes/{node_id}/heartbeat`; 404 tells the node to register again.
package struct HeartbeatRequest: Codable, Sendable {
    package let diskUsagePercent: Double
    package let chunkCount: Int
    package let corruptChunks: [ChunkID]?
    /// Why the node cannot do all that a node should, such as write, vote or give out what it took; nil when it can.
    package let impairment: String?
    /// What the disk can hold, and what of that are chunks: new videos go where there is room.
    package let capacityBytes: Int?
    package let storedBytes: Int?

    package init(
        diskUsagePercent: Double, chunkCount: Int, corruptChunks: [ChunkID]? = nil, impairment: String? = nil,
        capacityBytes: Int? = nil, storedBytes: Int? = nil
    ) {
        self.diskUsagePercent = diskUsagePercent
        self.chunkCount = chunkCount
        self.corruptChunks = corruptChunks
        self.impairment = impairment
        self.capacityBytes = capacityBytes
        self.storedBytes = storedBytes
    }
}
