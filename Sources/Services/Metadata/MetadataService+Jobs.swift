import Base
import Catalog
import ChunkPaxos
import HTTPTypes
import Jobs
import Media
import MetadataAPI
import Placement

// Transcoding jobs, for the service that shows them and the people behind it.
extension MetadataService {
    private static let jobsMax = 10_000

    func addJobRoutes(to router: inout Router) {
        router.task(.get, "/followers", "Followers, and how they have done") { _ in
            try .json(try await self.catalog.followers().map(FollowerSummary.init))
        }
        router.video(.get, "/jobs/{video_id}", "A video's transcoding, and why it is as it is") { id in
            try .json(try await self.jobMessage(id))
        }
        router.json(.post, "/jobs/{video_id}/start", "Enter a job, or add renditions to it", StartJobRequest.self) {
            request, body in
            let id = try request.videoID()
            try await self.startJob(id, body)
            return try .json(try await self.jobMessage(id))
        }
        router.video(.post, "/jobs/{video_id}/stop", "Take a job's units from the followers, and give them no more") {
            id in
            try await self.catalog.stopJob(of: id, self.jobPolicy, at: self.time.now())
            return try .json(try await self.jobMessage(id))
        }
        router.video(.post, "/jobs/{video_id}/resume", "Go on with a job, and try again what has failed") { id in
            let isResumed = try await self.catalog.resumeJob(of: id, self.jobPolicy, at: self.time.now())
            return try .json(ResumeJobsResponse(resumedCount: isResumed ? 1 : 0))
        }
        router.task(.post, "/jobs/resume", "Go on with every job that is stopped or has failed") { _ in
            var count = 0
            for id in try await self.catalog.unfinishedJobs(limit: Self.jobsMax)
            where try await self.catalog.resumeJob(of: id, self.jobPolicy, at: self.time.now()) {
                count += 1
            }
            return try .json(ResumeJobsResponse(resumedCount: count))
        }
    }

    private func startJob(_ id: VideoID, _ body: StartJobRequest) async throws {
        guard (0...100_000).contains(body.networkSpeed ?? 0) else {
            throw Failure(.invalidArgument, "'network_speed' must be 0 to 100000 Mbit/s")
        }
        guard let contents = try await renditions(of: id) else {
            throw Failure(.notFound, "there is no video \(id)")
        }
        guard contents.video.status == .active, let source = contents.renditions.first(where: { $0.stream == .source })
        else {
            throw Failure(
                .conflict, "video \(id) is \(contents.video.status.rawValue): it can be transcoded when it is active")
        }
        let plan = try JobPlanner.plan(for: source, networkSpeed: body.networkSpeed, qualities: body.qualities)
        guard let plan else {
            throw Failure(
                .invalidArgument,
                "video \(id) is \(source.width)x\(source.height): every quality that was asked for is larger")
        }
        try await catalog.addJob(NewJob(plan: plan, createdAt: time.now()), to: id)
        _ = try await catalog.resumeJob(of: id, jobPolicy, at: time.now())
    }

    /// The video with its renditions, and none of its many chunks: those of the thumbnail, one at the most, stand for
    /// them, as chunks are read by their stream.
    private func renditions(of id: VideoID) async throws -> VideoContents? {
        try await catalog.contents(of: id, stream: .thumbnail)
    }

    private func jobMessage(_ id: VideoID) async throws -> JobMessage {
        let video = try await requireVideo(id)
        guard let contents = try await catalog.job(of: id) else {
            throw Failure(.notFound, "video \(id) is \(video.status.rawValue) and has no transcoding job")
        }
        let ladder = try await renditions(of: id)?.ladder ?? []
        let now = time.now()
        let report = JobReport(contents.job, contents.units, now: now, jobPolicy)
        let rungs = report.rungs.compactMap { rung in
            ladder.first { $0.rung.label == rung.label }.map {
                JobMessage.Rung(rung, kind: $0.rung.kind, width: $0.rung.width, height: $0.rung.height)
            }
        }
        return JobMessage(report, rungs: rungs, explanation: report.explanation(now: now, jobPolicy))
    }
}

// Units, for followers.
extension MetadataService {
    private static let holdingMax = 64
    private static let reasonCharactersMax = 1000
    /// An hour of sound is 600 segments of about 100 bytes.
    private static let resultBytesMax = 8 * ByteCount.mebibyte

    func addUnitRoutes(to router: inout Router) {
        router.json(.post, "/jobs/pull", "A follower asks for work", PullRequest.self) { _, body in
            try .json(PullResponse(grant: try await self.pull(body)))
        }
        let unit = "/jobs/{video_id}/units/{unit}"
        router.json(.post, "\(unit)/heartbeat", "A follower is at a unit", UnitHeartbeatRequest.self) { request, body in
            let verdict = try await self.catalog.renewLease(
                of: try request.unitID(), FencingToken(body.token), body.progress?.plausible, self.jobPolicy,
                at: self.time.now())
            return try .json(LeaseResponse(verdict))
        }
        router.json(.post, "\(unit)/fail", "A follower could not do a unit", UnitFailureRequest.self) { request, body in
            let verdict = try await self.catalog.failUnit(
                try request.unitID(), FencingToken(body.token),
                String(body.reason.prefix(Self.reasonCharactersMax)), isReleased: body.isReleased, self.jobPolicy,
                at: self.time.now())
            return try .json(LeaseResponse(verdict))
        }
        router.json(
            .post, "\(unit)/complete", "A follower has done a unit", UnitResultRequest.self, limit: Self.resultBytesMax
        ) { request, body in
            let id = try request.unitID()
            let verdict = try await self.catalog.completeUnit(
                id, FencingToken(body.token), body.result, self.jobPolicy, at: self.time.now())
            return try .json(UnitResultResponse(verdict))
        }
        router.json(
            .post, "\(unit)/chunks/{chunk_id}", "Commit a chunk of a unit, while its lease is live",
            UnitCommitRequest.self
        ) { request, body in
            try await self.commit(try request.chunkID(), of: try request.unitID(), body)
        }
    }

    private func pull(_ body: PullRequest) async throws -> GrantMessage? {
        guard body.holding.count <= Self.holdingMax else {
            throw Failure(.invalidArgument, "'holding' has more than \(Self.holdingMax) units")
        }
        let holding = body.holding.map { (UnitID(video: $0.videoId, number: $0.unit), FencingToken($0.token)) }
        let grant = try await catalog.pullUnit(
            by: body.follower, holding: Dictionary(holding) { _, last in last }, jobPolicy, at: time.now())
        guard let grant else { return nil }
        let terms = try await terms.terms(of: grant.unit.id.video)
        guard let creator = terms.creator else { throw Failure(.corrupt, "the creator of the video is not known") }
        return GrantMessage(
            grant, leaseSec: jobPolicy.leaseSec,
            placementGroup: PlacementGroupMessage(id: terms.group.id, nodes: registry.view.members(of: terms.group)),
            ballot: Ballot(round: 0, proposer: creator))
    }

    private func commit(_ chunk: ChunkID, of unit: UnitID, _ body: UnitCommitRequest) async throws -> Response {
        let token = FencingToken(body.token)
        guard body.commit.videoId == unit.video, let stream = body.commit.stream, stream.isAttempt,
            stream.description.hasSuffix(".\(token.text)"),
            chunk == ChunkID(video: unit.video, stream: stream, sequence: body.commit.sequenceNum)
        else { throw Failure(.invalidArgument, "chunk \(chunk) is not of attempt \(token.number) of unit \(unit)") }
        guard try await catalog.isLeaseLive(of: unit, token, jobPolicy, at: time.now()) else {
            throw Failure(.conflict, "the lease of attempt \(token.number) of unit \(unit) has ended")
        }
        return try await commit(chunk, body.commit)
    }
}

extension RequestView {
    fileprivate func unitID() throws(Failure) -> UnitID {
        let text = parameters["unit"]
        guard let number = Int(text), (0...Int(Int32.max)).contains(number) else {
            throw Failure(.invalidArgument, "'\(text.prefix(40))' is not the number of a unit")
        }
        return UnitID(video: try videoID(), number: number)
    }
}

extension UnitProgress {
    /// Numbers that a sum or a text can bear.
    fileprivate var plausible: UnitProgress? {
        let numbers = [fraction, framesPerSecond, speed, etaSec ?? 0]
        guard numbers.allSatisfy({ $0.isFinite && (0...1e9).contains($0) }), (0...Int(Int32.max)).contains(frame) else {
            return nil
        }
        return self
    }
}

extension FollowerSummary {
    fileprivate init(_ record: FollowerRecord) {
        self.init(
            follower: record.id, lastSeen: record.lastSeen, acceptedCount: record.acceptedCount,
            failedCount: record.failedCount, refusedCount: record.refusedCount)
    }
}
