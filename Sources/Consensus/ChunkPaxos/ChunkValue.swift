import Base

/// How a chunk's bytes are spread over nodes.
package enum RedundancyMode: String, Sendable, Codable, JSONReadable, JSONWritable {
    case replication
    case erasureCoding = "erasure_coding"
}

/// What consensus decides about a chunk: which bytes they are, and where they live.
///
/// Acceptors keep it as the canonical JSON of this type and compare those bytes; it names enough for a catalog to be
/// rebuilt from the nodes alone. The holders it names decide the chunk's next version.
package struct ChunkValue: Hashable, Sendable, Codable {
    package let videoId: VideoID
    package let stream: ChunkStream
    /// Place of the chunk in its stream, from 0.
    package let sequence: Int
    package let sizeBytes: Int
    package let checksum: SHA256Digest
    package let redundancyMode: RedundancyMode
    /// The placement group of the nodes.
    package let group: String
    /// The nodes that are to hold the bytes, in the group's order. In version 0 they are the instance's own acceptors.
    package let nodes: [NodeID]
    /// The identities of the nodes, in the same order; nil where they were not known when the video was created.
    package let acceptors: [AcceptorID]?
    /// Playing time the chunk covers, from the start of the video; zero for streams that are not played by time.
    package let startSec: Double
    package let durationSec: Double

    package init(
        videoId: VideoID, stream: ChunkStream, sequence: Int, sizeBytes: Int, checksum: SHA256Digest,
        redundancyMode: RedundancyMode = .replication, group: String, nodes: [NodeID], acceptors: [AcceptorID]? = nil,
        startSec: Double = 0, durationSec: Double = 0
    ) {
        self.videoId = videoId
        self.stream = stream
        self.sequence = sequence
        self.sizeBytes = sizeBytes
        self.checksum = checksum
        self.redundancyMode = redundancyMode
        self.group = group
        self.nodes = nodes
        self.acceptors = acceptors
        self.startSec = startSec
        self.durationSec = durationSec
    }

    /// The acceptors of the version after the one in which this value is chosen.
    /// - Throws: ``Failure`` (`invalidArgument`) when the value names nobody, somebody twice, or not as many identities
    ///   as nodes.
    package func holders() throws(Failure) -> Membership {
        guard let acceptors else { return try Membership(nodes.map { Membership.Member($0) }) }
        guard acceptors.count == nodes.count else {
            throw Failure(.invalidArgument, "the value names \(nodes.count) nodes and \(acceptors.count) identities")
        }
        return try Membership(zip(nodes, acceptors).map { Membership.Member($0, $1) })
    }

    /// The bytes acceptors store and compare.
    package func encoded() throws -> [UInt8] { try JSON.encode(self) }

    package init(encoded bytes: [UInt8]) throws(Failure) { self = try JSON.decode(ChunkValue.self, from: bytes) }
}
