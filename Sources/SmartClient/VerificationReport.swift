import Base
import MetadataAPI

/// What is wrong with a chunk or a video, the worst last.
package enum IntegrityVerdict: Int, Sendable, Comparable {
    /// Every copy that there should be is there and intact.
    case intact
    /// At least one copy is intact, but fewer than there should be.
    case underReplicated
    /// No copy is intact.
    case lost

    package static func < (a: IntegrityVerdict, b: IntegrityVerdict) -> Bool { a.rawValue < b.rawValue }
}

/// One node's copy of a chunk.
package struct CopyReport: Sendable, Equatable {
    package enum State: Sendable, Equatable {
        case intact
        /// The node answered, and does not have it.
        case missing
        /// The node gave other bytes, or knows that its own are damaged; with the reason in words.
        case corrupt(String)
        /// The node did not answer; with the reason in words.
        case unreachable(String)
    }

    package let replica: String
    package let state: State
}

/// A chunk of which not all is well, or just any chunk.
package struct ChunkReport: Sendable, Equatable {
    package let chunk: ChunkID
    package let copiesWanted: Int
    package let copies: [CopyReport]

    package var intactCopies: Int { copies.count { $0.state == .intact } }

    package var verdict: IntegrityVerdict {
        if intactCopies == 0 { return .lost }
        return intactCopies < copiesWanted ? .underReplicated : .intact
    }

    /// Copies that hold other bytes than they should.
    package var corruptCopies: [CopyReport] {
        copies.filter { copy in
            if case .corrupt = copy.state { return true }
            return false
        }
    }
}

/// What verifying one video found.
package struct VideoReport: Sendable {
    package let video: VideoSummary
    package let chunkCount: Int
    /// Bytes of all copies that were found intact.
    package let intactBytes: Int
    /// The chunks that are not intact or have a corrupt copy, in order.
    package let findings: [ChunkReport]
    /// Why the video could not be looked at, where that is so.
    package let problem: String?

    /// The worst of its chunks; a video that could not be looked at counts as lost.
    package var verdict: IntegrityVerdict {
        problem == nil ? findings.map(\.verdict).max() ?? .intact : .lost
    }
}

/// What verifying everything found.
package struct VerificationReport: Sendable {
    package let videos: [VideoReport]
    /// Videos that have no complete set of chunks to look at: still uploading, failed or deleted.
    package let skipped: [VideoSummary]

    package var verdict: IntegrityVerdict { videos.map(\.verdict).max() ?? .intact }
}

/// How far a verification is.
package struct VerificationProgress: Sendable {
    package let videoTitle: String
    package let videoIndex: Int
    package let videoCount: Int
    package let chunks: Int
    package let chunksTotal: Int
}
