import Base
import Media

/// A chunk on its way into the store.
package struct OutgoingChunk: Sendable {
    package let stream: ChunkStream
    package let chunk: PlannedChunk

    package init(stream: ChunkStream, chunk: PlannedChunk) {
        self.stream = stream
        self.chunk = chunk
    }
}

/// Where an upload's chunks go. Returns once a chunk is durable and committed.
package protocol ChunkSink: Sendable {
    func store(_ chunk: OutgoingChunk) async throws
    /// Tries once more to give nodes what they missed, as far as that is quick.
    func mend() async
}
