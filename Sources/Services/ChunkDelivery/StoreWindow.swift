import Base
import Media

/// The chunks of one stream that are being stored, never more than the limit.
package struct StoreWindow {
    private let stream: ChunkStream
    private let sink: any ChunkSink
    private let limit: Int
    private var inFlight = 0

    package init(stream: ChunkStream, sink: any ChunkSink, limit: Int) {
        self.stream = stream
        self.sink = sink
        self.limit = limit
    }

    /// Waits until one more may be added.
    package mutating func makeRoom(in group: inout ThrowingTaskGroup<Void, any Error>) async throws {
        while inFlight >= limit {
            try await group.next()
            inFlight -= 1
        }
    }

    package mutating func add(
        _ chunk: PlannedChunk, to group: inout ThrowingTaskGroup<Void, any Error>,
        stored: @escaping @Sendable () -> Void
    ) async throws {
        try await makeRoom(in: &group)
        inFlight += 1
        let outgoing = OutgoingChunk(stream: stream, chunk: chunk)
        group.addTask { [sink] in
            try await sink.store(outgoing)
            stored()
        }
    }
}
