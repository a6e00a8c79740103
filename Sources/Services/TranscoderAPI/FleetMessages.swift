import Base
import MetadataAPI

/// A run of a stream's bytes: where it lies in its chunks.
package struct SourceRange: Codable, Sendable {
    package let chunks: [ManifestChunk]
    /// From the first byte of the first of these chunks.
    package let offsetBytes: Int
    package let sizeBytes: Int

    /// - Parameters:
    ///   - stream: all chunks of the stream, in order.
    ///   - range: from the stream's first byte.
    package init(_ range: Range<Int>, of stream: [ManifestChunk]) {
        var (start, first) = (0, 0)
        var chunks: [ManifestChunk] = []
        for chunk in stream {
            if start < range.upperBound, start + chunk.sizeBytes > range.lowerBound {
                if chunks.isEmpty { first = start }
                chunks.append(chunk)
            }
            start += chunk.sizeBytes
        }
        self.chunks = chunks
        offsetBytes = range.lowerBound - first
        sizeBytes = range.count
    }

    package var range: Range<Int> { offsetBytes..<offsetBytes + max(0, sizeBytes) }
}

/// A unit, and all that is needed to do it.
package struct Assignment: Codable, Sendable {
    package let grant: GrantMessage
    /// Of the source rendition; the ladder follows from them.
    package let width: Int
    package let height: Int
    package let frameRate: Double?
    /// The source rendition's initialization segment, and the segments to be read after it.
    package let initialization: SourceRange
    package let media: SourceRange

    package init(
        grant: GrantMessage, width: Int, height: Int, frameRate: Double?, initialization: SourceRange,
        media: SourceRange
    ) {
        self.grant = grant
        self.width = width
        self.height = height
        self.frameRate = frameRate
        self.initialization = initialization
        self.media = media
    }
}

/// The answer to `POST /fleet/pull`; without an assignment there is nothing to do now.
package struct AssignmentResponse: Codable, Sendable {
    package let assignment: Assignment?

    package init(assignment: Assignment?) { self.assignment = assignment }
}
