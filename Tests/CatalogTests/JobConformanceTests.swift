import Base
import Catalog
import Jobs
import Placement
import Testing

@Suite("Catalog: jobs")
struct JobConformanceTests {
    @Test("publishing enters the job; its parts come with the units' completion", arguments: CatalogImplementation.all)
    func parts(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let video = try await Fixture.publishedVideo(catalog)
            let first = try #require(try await catalog.pull(1))
            #expect(first.unit.task.rungs.map(\.description) == ["360p"])
            try await catalog.storeChunks(of: first)
            var ladder = try #require(try await catalog.contents(of: video, stream: .source)).ladder
            #expect(ladder.map(\.rung.label.description) == ["480p", "360p", "audio"])
            #expect(ladder.allSatisfy { $0.parts.isEmpty })
            #expect(try await catalog.complete(first).isAccepted)
            #expect(try await catalog.complete(first, after: 99) == .repeated)
            ladder = try #require(try await catalog.contents(of: video, stream: .source)).ladder
            #expect(ladder[1].parts.map(\.stream.description) == ["360p.0000.1"])
            #expect(ladder[1].codecs == "avc1.4d401e")
            #expect(!ladder[1].isComplete)
            try await catalog.finishAll()
            ladder = try #require(try await catalog.contents(of: video, stream: .source)).ladder
            #expect(ladder.allSatisfy { $0.isComplete && !$0.parts.isEmpty })
            #expect(try await catalog.job(of: video)?.job.finishedAt != nil)
            #expect(try await catalog.unfinishedJobs(limit: 9).isEmpty)
        }
    }

    @Test("what was published again, or asked for again, is not done again", arguments: CatalogImplementation.all)
    func repetition(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let video = try await Fixture.publishedVideo(catalog)
            let new = NewJob(plan: try Fixture.plan(), createdAt: Fixture.epoch)
            try await catalog.publish(
                video, try Fixture.publication(sourceBytes: 1000, originalBytes: 1000), job: new)
            try await catalog.addJob(new, to: video)
            #expect(try await catalog.job(of: video)?.units.count == 4)
            let more = try Fixture.label("720p")
            let task = UnitTask(
                kind: .video, part: 0, segments: 0..<2, startSec: 0, endSec: 60, isLast: true, rungs: [more])
            let rung = JobPlan.Rung(label: more, kind: .video, width: 1280, height: 720, frameRate: nil)
            let plan = JobPlan(rungs: [rung], units: [JobPlan.Unit(task: task, priority: 10)])
            try await catalog.addJob(NewJob(plan: plan, createdAt: Fixture.epoch), to: video)
            #expect(try await catalog.job(of: video)?.units.map(\.id.number) == [0, 1, 2, 3, 4])
        }
    }

    @Test(
        "a result whose chunks are missing, or of another form, goes to another follower",
        arguments: CatalogImplementation.all)
    func objections(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let video = try await Fixture.publishedVideo(catalog)
            let first = try #require(try await catalog.pull(1))
            #expect(
                try await catalog.complete(first) == .refused("no chunk of stream '360p.0000.1' is committed"))
            let second = try #require(try await catalog.pull(2, after: 2))
            #expect(second.unit.id == first.unit.id)
            try await catalog.storeChunks(of: second)
            guard case .accepted = try await catalog.complete(second, after: 3) else {
                Issue.record("the second attempt counts")
                return
            }
            try await catalog.finishAllBut(part: 1)
            let third = try #require(try await catalog.pull(3, after: 5))
            try await catalog.storeChunks(of: third)
            let verdict = try await catalog.complete(third, byte: 2, after: 6)
            let name = "480p: its initialization segment is not that of the parts that are there"
            #expect(verdict == .refused(name))
            let refused = try await catalog.followers().filter { $0.refusedCount > 0 }
            #expect(refused.map(\.id.description) == ["follower-1", "follower-3"])
            #expect(try await catalog.job(of: video)?.units[2].lastError == name)
        }
    }

    @Test("an expired lease's result is refused, and what it stored goes", arguments: CatalogImplementation.all)
    func fencing(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let video = try await Fixture.publishedVideo(catalog)
            let late = try #require(try await catalog.pull(1))
            try await catalog.storeChunks(of: late)
            let (unit, token) = (late.unit.id, late.token)
            func isLive(_ seconds: Double) async throws -> Bool {
                try await catalog.isLeaseLive(
                    of: unit, token, Fixture.policy, at: Fixture.epoch.adding(seconds: seconds))
            }
            #expect(try await isLive(29))
            #expect(try await isLive(31) == false)
            try await catalog.sweepLeases(Fixture.policy, at: Fixture.epoch.adding(seconds: 31))
            guard case .fenced = try await catalog.complete(late, after: 32) else {
                Issue.record("the late result must not count")
                return
            }
            let node = Fixture.nodes[0]
            let soon = Fixture.epoch.adding(seconds: 40)
            let then = Fixture.epoch.adding(seconds: 300)
            #expect(try await catalog.discards(on: node, limit: 9, at: soon).isEmpty)
            let stream = try #require(ChunkStream("360p.0000.1"))
            let due = Discard(video: video, stream: stream, node: node, sequenceEnd: 1)
            #expect(try await catalog.discards(on: node, limit: 9, at: then) == [due])
            for node in Fixture.group.members {
                for discard in try await catalog.discards(on: node, limit: 9, at: then) {
                    try await catalog.finishDiscard(discard)
                }
            }
            #expect(try await catalog.chunk(ChunkID(video: video, stream: stream, sequence: 0)) == nil)
            #expect(try await catalog.discards(on: node, limit: 9, at: then).isEmpty)
        }
    }

    @Test("a job can be stopped and resumed; a video that has none says so", arguments: CatalogImplementation.all)
    func stopping(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let video = try await Fixture.publishedVideo(catalog)
            _ = try #require(try await catalog.pull(1))
            try await catalog.stopJob(of: video, Fixture.policy, at: Fixture.epoch)
            #expect(try await catalog.pull(2) == nil)
            #expect(try await catalog.job(of: video)?.units.allSatisfy { $0.leases.isEmpty } == true)
            #expect(try await catalog.resumeJob(of: video, Fixture.policy, at: Fixture.epoch))
            #expect(try await catalog.pull(2) != nil)
            let bare = Fixture.video(after: 1)
            try await catalog.createVideo(bare)
            let code = await catalogError {
                try await catalog.stopJob(of: bare.id, Fixture.policy, at: Fixture.epoch)
            }
            #expect(code == .notFound)
            #expect(try await catalog.job(of: bare.id) == nil)
        }
    }

    @Test(
        "the journal has the ladder; a deletion takes the job, and names all that may be stored",
        arguments: CatalogImplementation.all)
    func deletion(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let video = try await Fixture.publishedVideo(catalog)
            try await catalog.writeJournal(of: video)
            let first = try #require(try await catalog.pull(1))
            try await catalog.storeChunks(of: first)
            _ = try await catalog.complete(first)
            let state = try #require(try await catalog.journal(of: video))
            #expect(state.isPublicationDue && state.urgency == .counters)
            #expect(state.publication?.ladder.map(\.parts.count) == [0, 1, 0])
            _ = try #require(try await catalog.pull(2, after: 2))
            try await catalog.deleteVideo(video)
            #expect(try await catalog.job(of: video) == nil)
            #expect(try await catalog.pull(3, after: 3) == nil)
            try await catalog.writeJournal(of: video)
            let due = try #require(try await catalog.deletions(of: nil, limit: 1).first)
            let ends = try await catalog.streamEnds(of: due).map { "\($0.key) \($0.value)" }.sorted()
            #expect(ends == ["audio.0000.1 0", "original 1", "source 1"])
            #expect(try await catalog.chunks(of: due, limit: 9).count == 3)
        }
    }
}

extension ResultVerdict {
    var isAccepted: Bool { if case .accepted = self { true } else { false } }
}

extension Catalog {
    /// Everything but the units of a part.
    func finishAllBut(part: Int) async throws {
        for number in 4..<20 {
            guard let grant = try await pull(number, after: 4), grant.unit.task.part != part else { continue }
            try await storeChunks(of: grant)
            _ = try await complete(grant, after: 4)
        }
        for unit in try await job(of: Fixture.lastVideo(self))?.units ?? [] {
            for lease in unit.leases {
                _ = try await failUnit(
                    unit.id, lease.token, "given back", isReleased: true, Fixture.policy,
                    at: Fixture.epoch.adding(seconds: 4))
            }
        }
    }
}

extension Fixture {
    static func lastVideo(_ catalog: any Catalog) async throws -> VideoID {
        try #require(try await catalog.videos(limit: 1, offset: 0).first).id
    }
}
