import Base
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

    package init(
        id: NodeID, url: String, version: String, zone: String = Placement.defaultZone, lastHeartbeat: Timestamp,
        report: NodeReport
    ) {
        self.id = id
        self.url = url
        self.version = version
        self.zone = zone
        self.lastHeartbeat = lastHeartbeat
        self.report = report
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
    /// Whether it says that it cannot write, or not vote. Not kept: the next heartbeat says it again.
    package let isImpaired: Bool

    package init(
        diskUsagePercent: Double = 0, chunkCount: Int = 0, corruptChunks: [ChunkID] = [], space: Placement.Space? = nil,
        isImpaired: Bool = false
    ) {
        self.diskUsagePercent = diskUsagePercent
        self.chunkCount = chunkCount
        self.corruptChunks = corruptChunks
        self.space = space
        self.isImpaired = isImpaired
    }
}
