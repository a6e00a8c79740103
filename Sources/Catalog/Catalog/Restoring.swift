import Base
import Placement

// What is entered into a catalog that is made anew from what the storage nodes have.

/// A chunk whose value was chosen, with the group that its value names.
package struct RestoredChunk: Hashable, Sendable {
    package let chunk: Chunk
    package let group: PlacementGroup

    package init(chunk: Chunk, group: PlacementGroup) {
        self.chunk = chunk
        self.group = group
    }
}

/// A chunk of a journal that nodes have accepted, and those that have its bytes.
package struct JournalSighting: Hashable, Sendable {
    package let video: VideoID
    package let group: PlacementGroup
    package let stream: ChunkStream
    package let sequence: Int
    package let checksum: SHA256Digest
    /// Whether a majority has accepted it.
    package let isChosen: Bool
    /// In order of id.
    package let holders: [NodeID]

    package init(
        video: VideoID, group: PlacementGroup, stream: ChunkStream, sequence: Int, checksum: SHA256Digest,
        isChosen: Bool, holders: [NodeID]
    ) {
        self.video = video
        self.group = group
        self.stream = stream
        self.sequence = sequence
        self.checksum = checksum
        self.isChosen = isChosen
        self.holders = holders
    }
}

/// What is wrong with one chunk.
package struct ChunkProblem: Hashable, Sendable {
    package let chunk: ChunkID
    package let video: VideoID
    package let group: PlacementGroup
    package let stream: ChunkStream
    package let sequence: Int
    /// A clause, such as `no node that answered has its bytes`.
    package let reason: String

    package init(
        chunk: ChunkID, video: VideoID, group: PlacementGroup, stream: ChunkStream, sequence: Int, reason: String
    ) {
        self.chunk = chunk
        self.video = video
        self.group = group
        self.stream = stream
        self.sequence = sequence
        self.reason = reason
    }
}

/// A video of which something was found.
package struct SeenVideo: Hashable, Sendable {
    package let id: VideoID
    package let position: Int64
    package let group: PlacementGroup
    /// Recorded chunks, and those that have a problem.
    package let chunkCount: Int
    package let problemCount: Int

    package init(id: VideoID, position: Int64, group: PlacementGroup, chunkCount: Int, problemCount: Int) {
        self.id = id
        self.position = position
        self.group = group
        self.chunkCount = chunkCount
        self.problemCount = problemCount
    }
}

/// A record of a journal, as it was found.
package struct RestoredRecord: Hashable, Sendable {
    package let chunks: Range<Int>
    /// Members that have all of it.
    package let holders: Set<NodeID>
    package let isChosen: Bool

    package init(chunks: Range<Int>, holders: Set<NodeID>, isChosen: Bool) {
        self.chunks = chunks
        self.holders = holders
        self.isChosen = isChosen
    }
}

/// What a journal says of a video.
package struct RestoredVideo: Sendable {
    package let facts: JournalFacts
    /// Where the group's nodes were when the facts were written.
    package let urls: [NodeID: String]
    package let record: RestoredRecord
    package let publication: Publication?
    package let publicationRecord: RestoredRecord?
    /// What the video's transcoding should be; what is there of it already is not done again.
    package let job: NewJob?

    package init(
        facts: JournalFacts, urls: [NodeID: String], record: RestoredRecord, publication: Publication?,
        publicationRecord: RestoredRecord?, job: NewJob? = nil
    ) {
        self.facts = facts
        self.urls = urls
        self.record = record
        self.publication = publication
        self.publicationRecord = publicationRecord
        self.job = job
    }
}

/// A stream of which less was found than its video's journal says there was.
package struct StreamGap: Hashable, Sendable {
    package let stream: ChunkStream
    package let chunksFound: Int
    package let chunksExpected: Int
    /// The first sequence numbers that are missing.
    package let missing: [Int]
    /// Why, of those of which something is known.
    package let reasons: [String]

    package init(stream: ChunkStream, chunksFound: Int, chunksExpected: Int, missing: [Int], reasons: [String]) {
        self.stream = stream
        self.chunksFound = chunksFound
        self.chunksExpected = chunksExpected
        self.missing = missing
        self.reasons = reasons
    }
}
