import Base
import Jobs

/// A rendition that is made unit by unit, beside those that a video is published with. It can be played up to where its
/// parts have no gap, and is complete when all are there.
package struct LadderRendition: Hashable, Sendable {
    package let rung: JobPlan.Rung
    /// RFC 6381; empty before the first part is there.
    package let codecs: String
    /// Of the initialization segment, the same for all parts; nil before the first is there.
    package let initialization: SHA256Digest?
    package let partCount: Int
    /// Those that are there, in order.
    package let parts: [RenditionPart]

    package init(
        rung: JobPlan.Rung, codecs: String = "", initialization: SHA256Digest? = nil, partCount: Int,
        parts: [RenditionPart] = []
    ) {
        self.rung = rung
        self.codecs = codecs
        self.initialization = initialization
        self.partCount = partCount
        self.parts = parts
    }

    package var isComplete: Bool { parts.count == partCount }
}

/// What one unit made of a rendition: a stream of its own, the initialization segment and then the segments.
package struct RenditionPart: Hashable, Sendable {
    /// Its place in the rendition, from 0.
    package let number: Int
    package let stream: ChunkStream
    package let initializationBytes: Int
    package let frameCount: Int
    package let segments: [Segment]

    package init(number: Int, stream: ChunkStream, initializationBytes: Int, frameCount: Int, segments: [Segment]) {
        self.number = number
        self.stream = stream
        self.initializationBytes = initializationBytes
        self.frameCount = frameCount
        self.segments = segments
    }
}

/// A job to be entered with a video, or renditions to be added to the job that it has.
package struct NewJob: Hashable, Sendable {
    package let plan: JobPlan
    package let createdAt: Timestamp
    /// Above every token of the video that there may have been; ``FencingToken/none`` where there was none.
    package let tokenMin: FencingToken

    package init(plan: JobPlan, createdAt: Timestamp, tokenMin: FencingToken = .none) {
        self.plan = plan
        self.createdAt = createdAt
        self.tokenMin = tokenMin
    }
}

/// A job with its units, as of one moment.
package struct JobContents: Hashable, Sendable {
    package let job: Job
    /// In order of number.
    package let units: [QueuedUnit]

    package init(job: Job, units: [QueuedUnit]) {
        self.job = job
        self.units = units
    }
}

/// What an attempt that came to nothing has left on a node.
package struct Discard: Hashable, Sendable {
    package let video: VideoID
    package let stream: ChunkStream
    package let node: NodeID
    /// One past the last recorded sequence number.
    package let sequenceEnd: Int

    package init(video: VideoID, stream: ChunkStream, node: NodeID, sequenceEnd: Int) {
        self.video = video
        self.stream = stream
        self.node = node
        self.sequenceEnd = sequenceEnd
    }
}

/// A follower as it was last heard of.
package struct FollowerRecord: Hashable, Sendable {
    package let id: FollowerID
    package let lastSeen: Timestamp
    /// Results that counted, attempts that failed, and results that were found to be bad.
    package let acceptedCount: Int
    package let failedCount: Int
    package let refusedCount: Int

    package init(id: FollowerID, lastSeen: Timestamp, acceptedCount: Int, failedCount: Int, refusedCount: Int) {
        self.id = id
        self.lastSeen = lastSeen
        self.acceptedCount = acceptedCount
        self.failedCount = failedCount
        self.refusedCount = refusedCount
    }
}
