import Base
import HTTPTypes
import MetadataAPI
import Synchronization

/// Reads ranges of a stream's bytes from its chunks.
package struct ChunkReader: Sendable {
    /// Chunks that are fetched, or wait to be used, at once.
    package static let readAheadDefault = 3

    private let chunks: any ChunkSource

    package init(_ chunks: any ChunkSource) { self.chunks = chunks }

    /// A stream of the range's bytes, in order, a chunk's worth at a time. What follows is fetched ahead, at most
    /// `readAhead` chunks at once, from the first time it is asked; letting go of the source ends that.
    /// - Throws: ``Failure`` when the chunks do not hold the range.
    package func source(
        chunks list: [ManifestChunk], range: Range<Int>, readAhead: Int = ChunkReader.readAheadDefault
    ) throws(Failure) -> ByteSource {
        let plan = try ByteRangePlan(chunks: list, range: range)
        let window = ReadAhead(plan.pieces, of: chunks, count: max(1, readAhead))
        return ByteSource { try await window.next() }
    }

    /// The range's bytes in one array.
    package func bytes(chunks list: [ManifestChunk], range: Range<Int>) async throws -> [UInt8] {
        let source = try source(chunks: list, range: range)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        while let piece = try await source.next() { bytes += piece }
        return bytes
    }
}

/// The fetches that are under way, in order.
private final class ReadAhead: Sendable {
    private struct State {
        var index = 0
        var window: [Task<[UInt8], any Error>] = []
    }

    private let pieces: [ByteRangePlan.Piece]
    private let chunks: any ChunkSource
    private let count: Int
    private let state = Locked(State())

    init(_ pieces: [ByteRangePlan.Piece], of chunks: any ChunkSource, count: Int) {
        self.pieces = pieces
        self.chunks = chunks
        self.count = count
    }

    deinit { cancelAll() }

    func next() async throws -> [UInt8]? {
        let first: Task<[UInt8], any Error>? = state.withLock { state in
            while state.window.count < count, state.index < pieces.count {
                state.window.append(fetch(pieces[state.index]))
                state.index += 1
            }
            return state.window.isEmpty ? nil : state.window.removeFirst()
        }
        guard let first else { return nil }
        do {
            return try await withTaskCancellationHandler {
                try await first.value
            } onCancel: {
                first.cancel()
            }
        } catch {
            cancelAll()
            throw error
        }
    }

    private func fetch(_ piece: ByteRangePlan.Piece) -> Task<[UInt8], any Error> {
        // Without a reference to self, so that letting go of the source ends what is under way.
        Task { [chunks] in
            let bytes = try await chunks.fetch(piece.chunk)
            return piece.part.count == bytes.count ? bytes : Array(bytes[piece.part])
        }
    }

    /// No more will be fetched.
    private func cancelAll() {
        let window = state.withLock { state in
            state.index = pieces.count
            defer { state.window = [] }
            return state.window
        }
        for task in window { task.cancel() }
    }
}
