import Base
import Placement

/// How soon a change of a video has to be on the storage nodes.
package enum JournalUrgency: Int, Sendable, Comparable {
    /// The nodes have it all.
    case none = 0
    /// Counters, and chunks that the nodes know by themselves: now and then is enough.
    case counters = 1
    /// Whatever somebody was told is done.
    case prompt = 2

    package static func < (a: JournalUrgency, b: JournalUrgency) -> Bool { a.rawValue < b.rawValue }
}

/// A video whose journal is to be written. `position` orders them; nothing else is to be read from it.
package struct JournalDue: Hashable, Sendable {
    package let video: VideoID
    package let position: Int64

    package init(video: VideoID, position: Int64) {
        self.video = video
        self.position = position
    }
}

/// What is known of a video that its chunks do not say, but for its publication.
package struct JournalFacts: Hashable, Sendable {
    package let id: VideoID
    package let title: String
    package let filename: String?
    package let durationSec: Double
    /// nil of a video that is deleted.
    package let status: Video.Status?
    package let error: String?
    package let group: PlacementGroup
    package let creator: UInt64
    package let createdAt: Timestamp
    package let viewCount: Int
    /// In order of name.
    package let streams: [StreamExtent]
    /// Counts the video's changes; whoever has the higher number knows more.
    package let revision: Int

    package init(
        id: VideoID, title: String, filename: String?, durationSec: Double, status: Video.Status?, error: String?,
        group: PlacementGroup, creator: UInt64, createdAt: Timestamp, viewCount: Int, streams: [StreamExtent],
        revision: Int
    ) {
        self.id = id
        self.title = title
        self.filename = filename
        self.durationSec = durationSec
        self.status = status
        self.error = error
        self.group = group
        self.creator = creator
        self.createdAt = createdAt
        self.viewCount = viewCount
        self.streams = streams
        self.revision = revision
    }

    package var isDeleted: Bool { status == nil }
}

/// How much of a stream is recorded.
package struct StreamExtent: Hashable, Sendable {
    package let stream: ChunkStream
    package let chunkCount: Int
    package let sizeBytes: Int
    /// One past the last recorded sequence number.
    package let sequenceEnd: Int

    package init(stream: ChunkStream, chunkCount: Int, sizeBytes: Int, sequenceEnd: Int) {
        self.stream = stream
        self.chunkCount = chunkCount
        self.sizeBytes = sizeBytes
        self.sequenceEnd = sequenceEnd
    }
}

/// Where the records of one of a video's two journal streams are.
package struct JournalRecords: Hashable, Sendable {
    /// The first sequence number that nobody has claimed.
    package let next: Int
    /// The chunks of the newest record that a majority has; empty before the first.
    package let newest: Range<Int>
    /// Below it nothing is left on the members that do not lag.
    package let clean: Int

    package init(next: Int = 0, newest: Range<Int> = 0..<0, clean: Int = 0) {
        self.next = next
        self.newest = newest
        self.clean = clean
    }
}

/// A member of the video's group that lacks the newest record of a stream, or may have old ones left.
package struct JournalLag: Hashable, Sendable {
    package let node: NodeID
    package let stream: ChunkStream
    /// Below it nothing is left there.
    package let clean: Int

    package init(node: NodeID, stream: ChunkStream, clean: Int) {
        self.node = node
        self.stream = stream
        self.clean = clean
    }
}

/// All that is needed to write a video's journal.
package struct JournalState: Hashable, Sendable {
    package let facts: JournalFacts
    /// The nodes of the facts' group, in its order; `url` is where each was last.
    package let members: [Node]
    package let urgency: JournalUrgency
    /// Counts publications; 0 before the first.
    package let publicationRevision: Int
    /// Whether no majority has the publication.
    package let isPublicationDue: Bool
    /// The publication, where it is due or a member lacks it; nil otherwise.
    package let publication: Publication?
    /// Whether nobody but this catalog can ever have written a journal for the video, so that ballot 0 is its own.
    package let ownsFirstBallot: Bool
    package let records: [ChunkStream: JournalRecords]
    package let lags: [JournalLag]
    /// Whether the video is deleted and nothing of it is left but the note of that.
    package let isClosing: Bool

    package init(
        facts: JournalFacts, members: [Node], urgency: JournalUrgency, publicationRevision: Int,
        isPublicationDue: Bool, publication: Publication?, ownsFirstBallot: Bool,
        records: [ChunkStream: JournalRecords],
        lags: [JournalLag], isClosing: Bool
    ) {
        self.facts = facts
        self.members = members
        self.urgency = urgency
        self.publicationRevision = publicationRevision
        self.isPublicationDue = isPublicationDue
        self.publication = publication
        self.ownsFirstBallot = ownsFirstBallot
        self.records = records
        self.lags = lags
        self.isClosing = isClosing
    }

    package func records(of stream: ChunkStream) -> JournalRecords { records[stream] ?? JournalRecords() }

    /// Below it nothing is left of the stream on that node.
    package func clean(_ stream: ChunkStream, on node: NodeID) -> Int {
        lags.first { $0.node == node && $0.stream == stream }?.clean ?? records(of: stream).clean
    }
}

/// A record of a video's journal that a majority of its group has.
package struct JournalWrite: Hashable, Sendable {
    package let stream: ChunkStream
    package let chunks: Range<Int>
    /// Of the facts or of the publication that was written.
    package let revision: Int
    /// Members that lack it, or could not be rid of older ones.
    package let lagging: [NodeID]

    package init(stream: ChunkStream, chunks: Range<Int>, revision: Int, lagging: [NodeID]) {
        self.stream = stream
        self.chunks = chunks
        self.revision = revision
        self.lagging = lagging
    }
}
