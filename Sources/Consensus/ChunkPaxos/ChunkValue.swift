import Base

/// How a chunk's bytes are spread over nodes.
package enum RedundancyMode: String, Sendable, Codable {
    case replication
    case erasureCoding = "erasure_coding"
}

/// What consensus decides about a chunk: which bytes they are, and where they live.
///
/// Acceptors keep it as the canonical JSON of this type and compare those bytes; it names enough for a catalog to be
/// rebuilt from the nodes alone.
package struct ChunkValue: Hashable, Sendable, Codable {
    package let videoId: VideoID
    package let stream: ChunkStream
    /// Place of the chunk in its stream, from 0.
    package let sequence: Int
    package let sizeBytes: Int
    package let checksum: SHA256Digest
    package let redundancyMode: RedundancyMode
    /// The placement group whose members are this instance's acceptors.
    package let group: String
    /// The nodes that are to hold the bytes, in the group's order.
    package let nodes: [NodeID]
    /// Playing time the chunk covers, from the start of the video; zero for streams that are not played by time.
    package let startSec: Double
    package let durationSec: Double

    package init(
        videoId: VideoID, stream: ChunkStream, sequence: Int, sizeBytes: Int, checksum: SHA256Digest,
        redundancyMode: RedundancyMode = .replication, group: String, nodes: [NodeID], startSec: Double = 0,
        durationSec: Double = 0
    ) {
        self.videoId = videoId
        self.stream = stream
        self.sequence = sequence
        self.sizeBytes = sizeBytes
        self.checksum = checksum
        self.redundancyMode = redundancyMode
        self.group = group
        self.nodes = nodes
        self.startSec = startSec
        self.durationSec = durationSec
    }

    /// The bytes acceptors store and compare.
    package func encoded() throws -> [UInt8] { try JSON.encode(self) }

    package init(encoded bytes: [UInt8]) throws(Failure) { self = try JSON.decode(ChunkValue.self, from: bytes) }
}
