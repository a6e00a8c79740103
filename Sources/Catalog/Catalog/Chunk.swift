import Base
import ChunkPaxos

/// A chunk whose value consensus has decided, and the nodes known to hold its bytes.
package struct Chunk: Hashable, Sendable {
    package let id: ChunkID
    package let video: VideoID
    package let stream: ChunkStream
    /// Its place in the stream, from 0.
    package let sequence: Int
    package let sizeBytes: Int
    package let checksum: SHA256Digest
    package let redundancyMode: RedundancyMode
    package let startSec: Double
    package let durationSec: Double
    /// In order of id.
    package let replicas: [NodeID]

    package init(
        id: ChunkID, video: VideoID, stream: ChunkStream, sequence: Int, sizeBytes: Int, checksum: SHA256Digest,
        redundancyMode: RedundancyMode, startSec: Double, durationSec: Double, replicas: [NodeID]
    ) {
        self.id = id
        self.video = video
        self.stream = stream
        self.sequence = sequence
        self.sizeBytes = sizeBytes
        self.checksum = checksum
        self.redundancyMode = redundancyMode
        self.startSec = startSec
        self.durationSec = durationSec
        self.replicas = replicas
    }

    /// Whether the other is the same bytes in the same place: what a commit sent twice must agree on.
    package func isSameValue(as other: Chunk) -> Bool {
        id == other.id && video == other.video && stream == other.stream && sequence == other.sequence
            && sizeBytes == other.sizeBytes && checksum == other.checksum && redundancyMode == other.redundancyMode
    }
}

/// Bytes of a deleted video that a node may still hold.
package struct Deletion: Hashable, Sendable {
    package let video: VideoID
    package let node: NodeID

    package init(video: VideoID, node: NodeID) {
        self.video = video
        self.node = node
    }
}

/// A chunk of a deleted video. `position` orders the chunks of a video; nothing else is to be read from it.
package struct DeletedChunk: Hashable, Sendable {
    package let id: ChunkID
    package let position: Int64

    package init(id: ChunkID, position: Int64) {
        self.id = id
        self.position = position
    }
}
