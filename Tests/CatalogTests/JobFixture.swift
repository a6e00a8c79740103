import Base
import Catalog
import Jobs
import Testing

extension Fixture {
    static let policy = JobPolicy()

    static func follower(_ number: Int) throws -> FollowerID { try #require(FollowerID("follower-\(number)")) }

    static func label(_ text: String) throws -> RungLabel { try #require(RungLabel(text)) }

    /// Two rungs in two parts, the lowest rung's first one a unit by itself, and sound.
    static func plan() throws -> JobPlan {
        let (high, low) = (try label("480p"), try label("360p"))
        func unit(
            _ kind: UnitTask.Kind, _ part: Int, _ seconds: Range<Double>, _ rungs: [RungLabel], _ priority: Int
        ) -> JobPlan.Unit {
            let task = UnitTask(
                kind: kind, part: part, segments: part..<part + 1, startSec: seconds.lowerBound,
                endSec: seconds.upperBound, isLast: seconds.upperBound == 60, rungs: rungs)
            return JobPlan.Unit(task: task, priority: priority)
        }
        return JobPlan(
            rungs: [
                JobPlan.Rung(label: high, kind: .video, width: 854, height: 480, frameRate: 29.97),
                JobPlan.Rung(label: low, kind: .video, width: 640, height: 360, frameRate: nil),
                JobPlan.Rung(label: .audio, kind: .audio, width: 0, height: 0, frameRate: nil),
            ],
            units: [
                unit(.video, 0, 0..<12, [low], JobPlan.Priority.first),
                unit(.video, 0, 0..<12, [high], JobPlan.Priority.rest),
                unit(.video, 1, 12..<60, [high, low], JobPlan.Priority.rest),
                unit(.audio, 0, 0..<60, [.audio], JobPlan.Priority.audio),
            ])
    }

    static func result(of task: UnitTask, byte: UInt8 = 1) throws -> UnitResult {
        let digest = [UInt8](repeating: byte, count: 32).withUnsafeBytes { SHA256Digest(bytes: $0) }
        let initialization = try #require(digest)
        return UnitResult(
            rungs: task.rungs.map { label in
                UnitResult.Rung(
                    label: label, codecs: "avc1.4d401e", initialization: initialization, initializationBytes: 100,
                    frameCount: 250,
                    segments: [
                        UnitResult.Segment(
                            offsetBytes: 100, sizeBytes: 900, startSec: task.startSec, durationSec: task.durationSec)
                    ])
            })
    }

    /// A video that is active and has a job; its source and original are a chunk each.
    static func publishedVideo(_ catalog: any Catalog) async throws -> VideoID {
        let video = video()
        try await catalog.createVideo(video)
        _ = try await catalog.recordChunk(try chunk(video.id, 0, sizeBytes: 1000))
        _ = try await catalog.recordChunk(try chunk(video.id, 0, stream: .original, sizeBytes: 1000))
        try await catalog.publish(
            video.id, try publication(sourceBytes: 1000, originalBytes: 1000),
            job: NewJob(plan: try plan(), createdAt: epoch))
        return video.id
    }
}

extension Catalog {
    func pull(_ number: Int, after seconds: Double = 0) async throws -> UnitGrant? {
        try await pullUnit(
            by: try Fixture.follower(number), holding: [:], Fixture.policy, at: Fixture.epoch.adding(seconds: seconds))
    }

    /// Stores a chunk for each of the unit's renditions.
    func storeChunks(of grant: UnitGrant) async throws {
        for rung in grant.unit.task.rungs {
            let stream = try #require(grant.unit.task.stream(of: rung, grant.token))
            _ = try await recordChunk(try Fixture.chunk(grant.unit.id.video, 0, stream: stream, sizeBytes: 1000))
        }
    }

    func complete(_ grant: UnitGrant, byte: UInt8 = 1, after seconds: Double = 1) async throws -> ResultVerdict {
        try await completeUnit(
            grant.unit.id, grant.token, try Fixture.result(of: grant.unit.task, byte: byte), Fixture.policy,
            at: Fixture.epoch.adding(seconds: seconds))
    }

    /// Makes everything of the video that is to be had.
    func finishAll() async throws {
        while let grant = try await pull(1) {
            try await storeChunks(of: grant)
            guard case .accepted = try await complete(grant) else {
                Issue.record("unit \(grant.unit.id.number) was not accepted")
                return
            }
        }
    }
}
