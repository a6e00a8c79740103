import Base
import ChunkPaxos
import Jobs

/// What one unit made of a rendition.
package struct RenditionPartMessage: Codable, Sendable, Hashable {
    package let number: Int
    package let stream: ChunkStream
    /// Length of the initialization segment at the start of the stream.
    package let initializationBytes: Int
    package let frameCount: Int
    package let segments: [SegmentMessage]

    package init(
        number: Int, stream: ChunkStream, initializationBytes: Int, frameCount: Int, segments: [SegmentMessage]
    ) {
        self.number = number
        self.stream = stream
        self.initializationBytes = initializationBytes
        self.frameCount = frameCount
        self.segments = segments
    }
}

/// A rendition that is made part by part, in whatever order; complete when all are there.
package struct LadderRenditionMessage: Codable, Sendable, Hashable {
    package let label: RungLabel
    package let kind: UnitTask.Kind
    package let width: Int
    package let height: Int
    package let frameRate: Double?
    /// RFC 6381; empty before the first part is there.
    package let codecs: String
    /// Of the initialization segment, the same for all parts.
    package let initialization: SHA256Digest?
    package let partCount: Int
    package let parts: [RenditionPartMessage]

    package init(
        label: RungLabel, kind: UnitTask.Kind, width: Int, height: Int, frameRate: Double?, codecs: String,
        initialization: SHA256Digest?, partCount: Int, parts: [RenditionPartMessage]
    ) {
        self.label = label
        self.kind = kind
        self.width = width
        self.height = height
        self.frameRate = frameRate
        self.codecs = codecs
        self.initialization = initialization
        self.partCount = partCount
        self.parts = parts
    }

    package var isComplete: Bool { parts.count == partCount }

    /// The parts from the first on that have no gap between them: what can be played.
    package var playableParts: ArraySlice<RenditionPartMessage> {
        let gap = parts.indices.first { parts[$0].number != $0 } ?? parts.endIndex
        return parts[..<gap]
    }
}

/// `POST /jobs/pull`: a follower asks for work.
package struct PullRequest: Codable, Sendable {
    /// An attempt that the follower is at.
    package struct Holding: Codable, Sendable, Hashable {
        package let videoId: VideoID
        package let unit: Int
        package let token: Int

        package init(videoId: VideoID, unit: Int, token: Int) {
            self.videoId = videoId
            self.unit = unit
            self.token = token
        }
    }

    package let follower: FollowerID
    package let holding: [Holding]

    package init(follower: FollowerID, holding: [Holding]) {
        self.follower = follower
        self.holding = holding
    }
}

/// The answer; without a grant there is nothing to do now.
package struct PullResponse: Codable, Sendable {
    package let grant: GrantMessage?

    package init(grant: GrantMessage?) { self.grant = grant }
}

/// A unit that a follower was given.
package struct GrantMessage: Codable, Sendable {
    package let videoId: VideoID
    package let unit: Int
    package let token: Int
    package let kind: UnitTask.Kind
    package let part: Int
    package let sourceSegmentFirst: Int
    package let sourceSegmentEnd: Int
    package let startSec: Double
    package let endSec: Double
    package let isLast: Bool
    package let rungs: [RungLabel]
    /// How long the lease lives without a heartbeat.
    package let leaseSec: Double
    /// Where the chunks go.
    package let placementGroup: PlacementGroupMessage
    /// Ballot 0 of the chunks of this attempt's streams, and of no others.
    package let ballot: Ballot

    package init(_ grant: UnitGrant, leaseSec: Double, placementGroup: PlacementGroupMessage, ballot: Ballot) {
        let task = grant.unit.task
        videoId = grant.unit.id.video
        unit = grant.unit.id.number
        token = grant.token.number
        kind = task.kind
        part = task.part
        sourceSegmentFirst = task.segments.lowerBound
        sourceSegmentEnd = task.segments.upperBound
        startSec = task.startSec
        endSec = task.endSec
        isLast = task.isLast
        rungs = task.rungs
        self.leaseSec = leaseSec
        self.placementGroup = placementGroup
        self.ballot = ballot
    }

    package var task: UnitTask {
        UnitTask(
            kind: kind, part: part, segments: sourceSegmentFirst..<max(sourceSegmentFirst, sourceSegmentEnd),
            startSec: startSec, endSec: endSec, isLast: isLast, rungs: rungs)
    }
}

/// `POST /jobs/{video_id}/units/{unit}/heartbeat`
package struct UnitHeartbeatRequest: Codable, Sendable {
    package let token: Int
    package let progress: UnitProgress?

    package init(token: Int, progress: UnitProgress?) {
        self.token = token
        self.progress = progress
    }
}

/// Whether the attempt is still of use.
package struct LeaseResponse: Codable, Sendable {
    package let isHeld: Bool
    /// Why not.
    package let reason: String?

    package init(_ verdict: LeaseVerdict) {
        switch verdict {
        case .held: (isHeld, reason) = (true, nil)
        case .fenced(let text): (isHeld, reason) = (false, text)
        }
    }
}

/// `POST /jobs/{video_id}/units/{unit}/fail`
package struct UnitFailureRequest: Codable, Sendable {
    package let token: Int
    package let reason: String
    /// The follower gives the unit back, and the attempt does not count.
    package let isReleased: Bool

    package init(token: Int, reason: String, isReleased: Bool) {
        self.token = token
        self.reason = reason
        self.isReleased = isReleased
    }
}

/// `POST /jobs/{video_id}/units/{unit}/complete`
package struct UnitResultRequest: Codable, Sendable {
    package struct Rung: Codable, Sendable {
        package let label: RungLabel
        package let codecs: String
        package let initialization: SHA256Digest
        package let initializationBytes: Int
        package let frameCount: Int
        package let segments: [SegmentMessage]
    }

    package let token: Int
    package let rungs: [Rung]

    package init(token: FencingToken, _ result: UnitResult) {
        self.token = token.number
        rungs = result.rungs.map { rung in
            Rung(
                label: rung.label, codecs: rung.codecs, initialization: rung.initialization,
                initializationBytes: rung.initializationBytes, frameCount: rung.frameCount,
                segments: rung.segments.map {
                    SegmentMessage(
                        offsetBytes: $0.offsetBytes, sizeBytes: $0.sizeBytes, startSec: $0.startSec,
                        durationSec: $0.durationSec)
                })
        }
    }

    package var result: UnitResult {
        UnitResult(
            rungs: rungs.map { rung in
                UnitResult.Rung(
                    label: rung.label, codecs: rung.codecs, initialization: rung.initialization,
                    initializationBytes: rung.initializationBytes, frameCount: rung.frameCount,
                    segments: rung.segments.map {
                        UnitResult.Segment(
                            offsetBytes: $0.offsetBytes, sizeBytes: $0.sizeBytes, startSec: $0.startSec,
                            durationSec: $0.durationSec)
                    })
            })
    }
}

/// What became of a result.
package struct UnitResultResponse: Codable, Sendable {
    package enum Outcome: String, Codable, Sendable {
        case accepted, repeated, refused, fenced
    }

    package let outcome: Outcome
    package let reason: String?

    package init(_ verdict: ResultVerdict) {
        switch verdict {
        case .accepted: (outcome, reason) = (.accepted, nil)
        case .repeated: (outcome, reason) = (.repeated, nil)
        case .refused(let text): (outcome, reason) = (.refused, text)
        case .fenced(let text): (outcome, reason) = (.fenced, text)
        }
    }
}

/// `POST /jobs/{video_id}/units/{unit}/chunks/{chunk_id}`: a commit that is done only while the lease is live.
package struct UnitCommitRequest: Codable, Sendable {
    package let token: Int
    package let commit: CommitRequest

    package init(token: Int, commit: CommitRequest) {
        self.token = token
        self.commit = commit
    }
}

/// `POST /jobs/{video_id}/start`
package struct StartJobRequest: Codable, Sendable {
    /// Megabits per second of those who watch.
    package let networkSpeed: Double?
    /// Labels; they win over the network's speed.
    package let qualities: [String]?

    package init(networkSpeed: Double? = nil, qualities: [String]? = nil) {
        self.networkSpeed = networkSpeed
        self.qualities = qualities
    }
}

/// `GET /jobs/{video_id}`: a video's transcoding, derived at this moment.
package struct JobMessage: Codable, Sendable {
    package struct Rung: Codable, Sendable {
        package let label: RungLabel
        package let kind: UnitTask.Kind
        package let width: Int
        package let height: Int
        package let status: JobReport.Status
        package let progress: Int
        package let unitsDone: Int
        package let unitCount: Int
        package let message: String?

        package init(_ rung: JobReport.Rung, kind: UnitTask.Kind, width: Int, height: Int) {
            label = rung.label
            self.kind = kind
            self.width = width
            self.height = height
            status = rung.status
            progress = rung.progressPercent
            unitsDone = rung.unitsDone
            unitCount = rung.unitCount
            message = rung.message
        }
    }

    package struct Attempt: Codable, Sendable {
        package let token: Int
        package let follower: FollowerID
        package let grantedAt: Timestamp
        package let renewedAt: Timestamp
        package let progress: UnitProgress
    }

    package struct Unit: Codable, Sendable {
        package let unit: Int
        package let part: Int
        package let startSec: Double
        package let endSec: Double
        package let rungs: [RungLabel]
        /// `waiting`, `running`, `done` or `failed`.
        package let state: String
        package let attempts: Int
        package let error: String?
        package let leases: [Attempt]
    }

    package let videoId: VideoID
    package let overall: JobReport.Status
    package let createdAt: Timestamp
    package let startedAt: Timestamp?
    package let finishedAt: Timestamp?
    package let isStopped: Bool
    package let rungs: [Rung]
    package let units: [Unit]
    /// Sentences.
    package let explanation: [String]

    package init(_ report: JobReport, rungs: [Rung], explanation: [String]) {
        videoId = report.job.video
        overall = report.overall
        createdAt = report.job.createdAt
        startedAt = report.job.startedAt
        finishedAt = report.job.finishedAt
        isStopped = report.job.isStopped
        self.rungs = rungs
        units = report.units.map(Unit.init)
        self.explanation = explanation
    }
}

extension JobMessage.Unit {
    fileprivate init(_ unit: QueuedUnit) {
        self.init(
            unit: unit.id.number, part: unit.task.part, startSec: unit.task.startSec, endSec: unit.task.endSec,
            rungs: unit.task.rungs, state: Self.word(for: unit), attempts: unit.attempts, error: unit.lastError,
            leases: unit.leases.map {
                JobMessage.Attempt(
                    token: $0.token.number, follower: $0.follower, grantedAt: $0.grantedAt, renewedAt: $0.renewedAt,
                    progress: $0.progress)
            })
    }

    private static func word(for unit: QueuedUnit) -> String {
        switch unit.state {
        case .done: "done"
        case .failed: "failed"
        case .open: unit.isRunning ? "running" : "waiting"
        }
    }
}

/// `POST /jobs/{video_id}/resume` and `POST /jobs/resume`
package struct ResumeJobsResponse: Codable, Sendable {
    package let resumedCount: Int

    package init(resumedCount: Int) { self.resumedCount = resumedCount }
}

/// A row of `GET /followers`
package struct FollowerSummary: Codable, Sendable {
    package let follower: FollowerID
    package let lastSeen: Timestamp
    package let acceptedCount: Int
    package let failedCount: Int
    package let refusedCount: Int

    package init(
        follower: FollowerID, lastSeen: Timestamp, acceptedCount: Int, failedCount: Int, refusedCount: Int
    ) {
        self.follower = follower
        self.lastSeen = lastSeen
        self.acceptedCount = acceptedCount
        self.failedCount = failedCount
        self.refusedCount = refusedCount
    }
}
