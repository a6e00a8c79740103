import Base
import Jobs

let epoch = Timestamp(nanoseconds: 1_700_000_000_000_000_000)

func at(_ seconds: Double) -> Timestamp { epoch.adding(seconds: seconds) }

func follower(_ number: Int) -> FollowerID {
    guard let id = FollowerID("follower-\(number)") else { preconditionFailure("it is a name") }
    return id
}

func label(_ text: String) -> RungLabel {
    guard let label = RungLabel(text) else { preconditionFailure("it is a label") }
    return label
}

/// A job of this many units of 40 s, a short first one and one of sound.
func makeJob(_ video: VideoID = VideoID(), units count: Int = 4) -> (Job, [QueuedUnit]) {
    var units: [QueuedUnit] = []
    var start = 0.0
    for part in 0..<count {
        let end = start + (part == 0 ? 8 : 40)
        let task = UnitTask(
            kind: .video, part: part, segments: part..<part + 1, startSec: start, endSec: end,
            isLast: part == count - 1, rungs: [label("480p"), label("360p")])
        let priority = part == 0 ? JobPlan.Priority.first : JobPlan.Priority.rest
        units.append(QueuedUnit(id: UnitID(video: video, number: part), task: task, priority: priority))
        start = end
    }
    let sound = UnitTask(
        kind: .audio, part: 0, segments: 0..<count, startSec: 0, endSec: start, isLast: true, rungs: [.audio])
    units.append(QueuedUnit(id: UnitID(video: video, number: count), task: sound, priority: JobPlan.Priority.audio))
    return (Job(video: video, createdAt: epoch), units)
}

let digest: SHA256Digest = {
    guard let digest = SHA256Digest(String(repeating: "ab", count: 32)) else { preconditionFailure("it is a digest") }
    return digest
}()

/// What an honest follower makes of the task.
func result(of task: UnitTask) -> UnitResult {
    let rungs = task.rungs.map { label in
        var segments: [UnitResult.Segment] = []
        var (offset, start) = (700, task.startSec)
        while start < task.endSec {
            let duration = min(6, task.endSec - start)
            segments.append(
                UnitResult.Segment(offsetBytes: offset, sizeBytes: 50_000, startSec: start, durationSec: duration))
            (offset, start) = (offset + 50_000, start + duration)
        }
        return UnitResult.Rung(
            label: label, codecs: "avc1.4d401e", initialization: digest, initializationBytes: 700,
            frameCount: Int(task.durationSec * 25), segments: segments)
    }
    return UnitResult(rungs: rungs)
}

/// A board that is kept between calls.
final class Desk {
    private(set) var board: JobBoard<ArrayRows>
    let policy = JobPolicy()

    init(_ jobs: (Job, [QueuedUnit])...) {
        var rows = ArrayRows()
        for (job, units) in jobs { rows.enter(job, units) }
        board = JobBoard(rows, policy)
    }

    var rows: ArrayRows { board.rows }

    func pull(
        by number: Int, at seconds: Double, holding: [UnitID: FencingToken] = [:]
    ) -> UnitGrant? {
        board.onPull(by: follower(number), holding: holding, now: at(seconds))
    }

    func heartbeat(
        _ grant: UnitGrant, at seconds: Double
    ) -> LeaseVerdict {
        board.onHeartbeat(grant.unit.id, grant.token, nil, now: at(seconds))
    }

    /// An honest result.
    func finish(
        _ grant: UnitGrant, at seconds: Double
    ) -> ResultVerdict {
        board.onResult(grant.unit.id, grant.token, result(of: grant.unit.task), now: at(seconds))
    }

    func fail(
        _ grant: UnitGrant, _ reason: String = "it broke", isReleased: Bool = false, at seconds: Double
    ) -> LeaseVerdict {
        board.onFailure(grant.unit.id, grant.token, reason, isReleased: isReleased, now: at(seconds))
    }

    func stop(_ video: VideoID, at seconds: Double) -> Bool { board.onStop(video, now: at(seconds)) }

    func resume(_ video: VideoID, at seconds: Double) -> Bool? { board.onResume(video, now: at(seconds)) }

    func report(at seconds: Double) -> JobReport {
        let job = rows.jobs[0]
        return JobReport(job, rows.units(of: job.video), now: at(seconds), policy)
    }
}

extension ResultVerdict {
    var isAccepted: Bool { if case .accepted = self { true } else { false } }
}
