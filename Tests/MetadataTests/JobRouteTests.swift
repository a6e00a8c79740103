import Base
import Catalog
import CatalogSQLite
import ChunkPaxos
import HTTPTypes
import Jobs
import MetadataAPI
import Testing

@testable import Metadata

@Suite("The routes of jobs and units")
struct JobRouteTests {
    /// The clock is advanced by more than nodes may be silent.
    private static let patient = ["NODE_TIMEOUT": "10000"]

    private func pull(_ harness: Harness, _ number: Int = 1) async throws -> GrantMessage? {
        let follower = try #require(FollowerID("follower-\(number)"))
        let answer = try await harness.call(.post, "/jobs/pull", PullRequest(follower: follower, holding: []))
        #expect(answer.status == 200)
        return try answer.decoded(PullResponse.self).grant
    }

    private func url(_ grant: GrantMessage) -> String { "/jobs/\(grant.videoId)/units/\(grant.unit)" }

    /// Stores a chunk of 100 bytes for each of the unit's renditions, under the creator's ballot, and commits it.
    private func store(_ grant: GrantMessage, _ upload: Upload) async throws -> [Harness.Answer] {
        #expect(grant.ballot == upload.created.ballot)
        var answers: [Harness.Answer] = []
        for rung in grant.rungs {
            let stream = try #require(grant.task.stream(of: rung, FencingToken(grant.token)))
            let value = try upload.value(0, stream: stream)
            try upload.put(value)
            let commit = CommitRequest(
                nodeUrls: upload.urls, checksum: value.checksum, sizeBytes: value.sizeBytes, videoId: upload.id,
                sequenceNum: 0, stream: stream, startSec: value.startSec, durationSec: value.durationSec)
            let request = UnitCommitRequest(token: grant.token, commit: commit)
            answers.append(
                try await harness(upload).call(.post, "\(url(grant))/chunks/\(upload.chunk(0, stream))", request))
        }
        return answers
    }

    private func harness(_ upload: Upload) -> Harness { upload.harness }

    private func result(_ grant: GrantMessage) throws -> UnitResultRequest {
        let initialization = try #require(SHA256Digest(String(repeating: "5a", count: 32)))
        let rungs = grant.rungs.map { label in
            UnitResult.Rung(
                label: label, codecs: "avc1.4d401e", initialization: initialization, initializationBytes: 10,
                frameCount: 150,
                segments: [
                    UnitResult.Segment(
                        offsetBytes: 10, sizeBytes: 90, startSec: grant.startSec,
                        durationSec: grant.endSec - grant.startSec)
                ])
        }
        return UnitResultRequest(token: FencingToken(grant.token), UnitResult(rungs: rungs))
    }

    private func finish(_ grant: GrantMessage, _ upload: Upload) async throws -> UnitResultResponse {
        #expect(try await store(grant, upload).allSatisfy { $0.status == 200 })
        return try await upload.harness.call(.post, "\(url(grant))/complete", try result(grant)).decoded()
    }

    @Test("a published video has a job; what a follower makes of it is in the layout, and in no manifest")
    func wholeWay() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            #expect(try await harness.call(.get, "/jobs/\(upload.id)").status == 404)
            try await upload.publishSmall()
            var job: JobMessage = try await harness.call(.get, "/jobs/\(upload.id)").decoded()
            #expect(job.overall == .queued)
            #expect(job.rungs.map(\.label.description) == ["360p", "audio"])
            let manifest = try await harness.call(.get, "/manifest/\(upload.id)").text
            var grants = 0
            while let grant = try await pull(harness) {
                grants += 1
                #expect(try await finish(grant, upload).outcome == .accepted)
            }
            job = try await harness.call(.get, "/jobs/\(upload.id)").decoded()
            #expect(job.overall == .ok && job.units.count == grants)
            #expect(job.explanation == ["\(grants) of \(grants) units are done."])
            let layout: VideoLayout = try await harness.call(.get, "/video/\(upload.id)/layout").decoded()
            #expect(layout.ladder.allSatisfy { $0.isComplete && $0.playableParts.count == $0.partCount })
            for part in layout.ladder.flatMap(\.parts) { #expect(layout.chunks(of: part.stream).count == 1) }
            #expect(try await harness.call(.get, "/manifest/\(upload.id)").text == manifest)
        }
    }

    @Test("a late attempt's chunks and result are refused, and what it stored goes from the nodes")
    func fencing() async throws {
        try await Harness.run(environment: Self.patient) { harness in
            let upload = try await Upload(harness)
            try await upload.publishSmall()
            let late = try #require(try await pull(harness))
            #expect(try await store(late, upload).allSatisfy { $0.status == 200 })
            harness.clock.advance(seconds: 31)
            let next = try #require(try await pull(harness, 2))
            #expect(next.unit == late.unit && next.token > late.token)
            #expect(try await store(late, upload).allSatisfy { $0.status == 409 })
            let verdict: UnitResultResponse = try await harness.call(
                .post, "\(url(late))/complete", try result(late)
            ).decoded()
            #expect(verdict.outcome == .fenced)
            let heartbeat: LeaseResponse = try await harness.call(
                .post, "\(url(late))/heartbeat", UnitHeartbeatRequest(token: late.token, progress: nil)
            ).decoded()
            #expect(!heartbeat.isHeld && heartbeat.reason == "follower-1 was not heard of for 30 seconds")
            #expect(try await finish(next, upload).outcome == .accepted)
            let stream = try #require(late.task.stream(of: late.rungs[0], FencingToken(late.token)))
            #expect(try await harness.service.catalog.chunk(upload.chunk(0, stream)) != nil)
            harness.clock.advance(seconds: 60)
            try await harness.service.reaper.pass()
            #expect(try await harness.service.catalog.chunk(upload.chunk(0, stream)) == nil)
            let kept = try #require(next.task.stream(of: next.rungs[0], FencingToken(next.token)))
            #expect(try await harness.service.catalog.chunk(upload.chunk(0, kept)) != nil)
        }
    }

    @Test("a chunk that is not of the attempt is no chunk of the unit")
    func foreignChunks() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            try await upload.publishSmall()
            let grant = try #require(try await pull(harness))
            let value = try upload.value(9)
            let commit = CommitRequest(
                nodeUrls: upload.urls, checksum: value.checksum, sizeBytes: 100, videoId: upload.id, sequenceNum: 9)
            let answer = try await harness.call(
                .post, "\(url(grant))/chunks/\(upload.chunk(9))", UnitCommitRequest(token: grant.token, commit: commit))
            #expect(answer.status == 400)
        }
    }

    @Test("stop, resume and start answer as what there is allows")
    func commands() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            func post(_ command: String) async throws -> Harness.Answer {
                try await harness.call(.post, "/jobs/\(upload.id)/\(command)", StartJobRequest())
            }
            #expect(try await post("stop").status == 404)
            #expect(try await post("start").status == 409)
            try await upload.publishSmall()
            let stopped: JobMessage = try await post("stop").decoded()
            #expect(stopped.overall == .stopped)
            #expect(try await pull(harness) == nil)
            #expect(try await harness.call(.post, "/jobs/resume").decoded(ResumeJobsResponse.self).resumedCount == 1)
            #expect(try await pull(harness) != nil)
            let unknown = try await harness.call(
                .post, "/jobs/\(upload.id)/start", StartJobRequest(qualities: ["4k"]))
            #expect(unknown.status == 400)
            #expect(unknown.detail == "unknown quality '4k': choose from 1080p, 720p, 480p, 360p")
        }
    }

    @Test("a catalog that is made anew has the parts that were there, and makes only what was not")
    func rebuild() async throws {
        try await Harness.run(environment: Self.patient) { harness in
            let upload = try await Upload(harness)
            try await upload.publishSmall()
            let lost = try #require(try await pull(harness))
            #expect(try await store(lost, upload).allSatisfy { $0.status == 200 })
            harness.clock.advance(seconds: 31)
            let done = try #require(try await pull(harness))
            #expect(try await finish(done, upload).outcome == .accepted)
            #expect(await harness.service.journal.pass(.counters) == 0)
            let ladder = try #require(try await harness.service.catalog.contents(of: upload.id, stream: .source)).ladder

            let path = harness.folder + "/rebuilt.db"
            let rebuild = CatalogRebuild(
                nodes: (0..<3).map(Harness.url), listing: harness.cluster, gateway: harness.cluster)
            let report = try await rebuild.build(at: path)
            #expect(report.isWhole, "\(report)")
            let catalog = try CatalogSQLite(path: path)
            #expect(try await catalog.contents(of: upload.id, stream: .source)?.ladder == ladder)
            let job = try #require(try await catalog.job(of: upload.id))
            let doneUnits = job.units.filter(\.isDone)
            #expect(doneUnits.count == 1 && doneUnits[0].task.rungs == done.rungs)
            let node = try #require(NodeID("node-1"))
            let later = SystemTime().now().adding(seconds: 100)
            #expect(try await catalog.discards(on: node, limit: 9, at: later).count == lost.rungs.count)
            let follower = try #require(FollowerID("follower-3"))
            let policy = JobPolicy()
            let grant = try #require(
                try await catalog.pullUnit(by: follower, holding: [:], policy, at: SystemTime().now()))
            #expect(grant.token.number > 1_000_000_000 && grant.unit.task.stream(of: .audio, grant.token) != nil)
            await catalog.close()
        }
    }
}
