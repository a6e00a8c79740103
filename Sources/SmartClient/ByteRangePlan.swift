import Base
import MetadataAPI

/// Which chunks of a stream, and which part of each, make up a range of the stream's bytes.
package struct ByteRangePlan: Sendable {
    package struct Piece: Sendable, Equatable {
        package let chunk: ManifestChunk
        /// Offsets within the chunk; never empty.
        package let part: Range<Int>
    }

    /// In order; empty for an empty range.
    package let pieces: [Piece]

    /// - Parameters:
    ///   - chunks: all of the stream, in order.
    ///   - range: offsets in the stream.
    /// - Throws: ``Failure`` (`corrupt`) when the range reaches past the chunks, or the chunks' sizes make no sense.
    package init(chunks: [ManifestChunk], range: Range<Int>) throws(Failure) {
        var pieces: [Piece] = []
        var start = 0
        for chunk in chunks where start < range.upperBound {
            let (end, overflows) = start.addingReportingOverflow(chunk.sizeBytes)
            guard chunk.sizeBytes > 0, !overflows else {
                throw Failure(.corrupt, "chunk \(chunk.chunkId) is said to have \(chunk.sizeBytes) bytes")
            }
            let part = range.clamped(to: start..<end)
            if !part.isEmpty {
                pieces.append(Piece(chunk: chunk, part: part.lowerBound - start..<part.upperBound - start))
            }
            start = end
        }
        guard range.lowerBound >= 0, range.upperBound <= start || range.isEmpty else {
            throw Failure(
                .corrupt,
                "bytes \(range.lowerBound) to \(range.upperBound) were asked for, but the chunks hold \(start)")
        }
        self.pieces = pieces
    }
}
