import Base
import ChunkPaxos
import Placement

/// A storage node as it was last heard of. Whether it is healthy is for the reader to derive from that.
package struct Node: Hashable, Sendable {
    package let id: NodeID
    /// Base URL without a slash at the end.
    package let url: String
    package let version: String
    /// What fails together with it, such as a rack.
    package let zone: String
    package let lastHeartbeat: Timestamp
    package let report: NodeReport
    /// The acceptor that it is: the identity of its present disk. nil of a node that never said.
    package let acceptor: AcceptorID?
    /// What its proofs are checked with; a secret.
    package let proofKey: [UInt8]?

    package init(
        id: NodeID, url: String, version: String, zone: String = Placement.defaultZone, lastHeartbeat: Timestamp,
        report: NodeReport, acceptor: AcceptorID? = nil, proofKey: [UInt8]? = nil
    ) {
        self.id = id
        self.url = url
        self.version = version
        self.zone = zone
        self.lastHeartbeat = lastHeartbeat
        self.report = report
        self.acceptor = acceptor
        self.proofKey = proofKey
    }
}

/// What a node says of itself in a heartbeat.
package struct NodeReport: Hashable, Sendable {
    package let diskUsagePercent: Double
    package let chunkCount: Int
    /// Chunks whose bytes failed their checksum.
    package let corruptChunks: [ChunkID]
    /// What its disk can hold, and what of that are chunks; nil when it did not say.
    package let space: Placement.Space?
    /// Why it cannot do all that a node should, such as write, vote or give out what it took; nil when it can. Not
    /// kept: the next heartbeat says it again.
    package let impairment: String?

    package init(
        diskUsagePercent: Double = 0, chunkCount: Int = 0, corruptChunks: [ChunkID] = [], space: Placement.Space? = nil,
        impairment: String? = nil
    ) {
        self.diskUsagePercent = diskUsagePercent
        self.chunkCount = chunkCount
        self.corruptChunks = corruptChunks
        self.space = space
        self.impairment = impairment
    }
}
