import Base
import Catalog
import Jobs
import Media

/// Makes a job's plan of what was published, without reading any of the video.
enum JobPlanner {
    /// - Parameters:
    ///   - networkSpeed: megabits per second of those who watch; nil for a fast one.
    ///   - qualities: labels that are wanted; nil for all that suit.
    /// - Returns: nil when there is nothing to make: no source rendition, or nothing that was asked for fits it.
    /// - Throws: ``MediaError`` when a quality is unknown.
    static func plan(
        for publication: Publication, networkSpeed: Double? = nil, qualities: [String]? = nil
    ) throws(MediaError) -> JobPlan? {
        guard let source = publication.renditions.first(where: { $0.stream == .source }) else { return nil }
        return try plan(for: source, networkSpeed: networkSpeed, qualities: qualities)
    }

    static func plan(
        for source: Rendition, networkSpeed: Double? = nil, qualities: [String]? = nil
    ) throws(MediaError) -> JobPlan? {
        guard source.width > 0, source.height > 0, let end = source.segments.map({ $0.startSec + $0.durationSec }).max()
        else { return nil }
        let ladder = try LadderPlan(
            width: source.width, height: source.height, frameRate: source.frameRate, networkSpeed: networkSpeed ?? 10,
            qualities: qualities)
        let segments = source.segments.map {
            SourceSegment(startSeconds: $0.startSec, durationSeconds: $0.durationSec)
        }
        let work = WorkUnitPlan(segments: segments, labels: ladder.rungs.map(\.label))
        guard !work.units.isEmpty else { return nil }
        var rungs = ladder.rungs.compactMap { rung in
            RungLabel(rung.label).map {
                JobPlan.Rung(
                    label: $0, kind: .video, width: rung.width, height: rung.height, frameRate: ladder.frameRate)
            }
        }
        var units = work.units.enumerated().map { index, unit in
            let task = UnitTask(
                kind: .video, part: unit.part, segments: unit.sourceSegments, startSec: Double(unit.startSeconds),
                endSec: unit.endSeconds.map(Double.init) ?? end, isLast: unit.endSeconds == nil,
                rungs: unit.labels.compactMap { RungLabel($0) })
            return JobPlan.Unit(task: task, priority: index == 0 ? JobPlan.Priority.first : JobPlan.Priority.rest)
        }
        if source.hasSound {
            rungs.append(JobPlan.Rung(label: .audio, kind: .audio, width: 0, height: 0, frameRate: nil))
            let task = UnitTask(
                kind: .audio, part: 0, segments: 0..<segments.count, startSec: 0, endSec: end, isLast: true,
                rungs: [.audio])
            units.append(JobPlan.Unit(task: task, priority: JobPlan.Priority.audio))
        }
        return JobPlan(rungs: rungs, units: units)
    }
}

extension Rendition {
    var hasSound: Bool { codecs.split(separator: ",").contains { $0.hasPrefix("mp4a") } }
}
