import Base
import Jobs
import Media
import MetadataAPI
import TranscoderAPI

extension TranscodeStatus {
    /// What a job looks like to those who know qualities and not units.
    init(_ job: JobMessage, _ layout: VideoLayout) {
        let root = "/stream/\(job.videoId)"
        var qualities: [String: Quality] = [:]
        for rung in job.rungs where rung.kind == .video {
            let label = rung.label.description
            let rendition = layout.ladder.first { $0.label == rung.label }
            let isPlayable = rendition?.playableParts.isEmpty == false
            qualities[label] = Quality(
                status: rung.status, progress: rung.progress,
                playlist: isPlayable ? "\(root)/\(label)/playlist.m3u8" : nil,
                targetResolution: "\(rung.width)x\(rung.height)", startedAt: job.startedAt,
                finishedAt: rung.status == .ok ? job.finishedAt : nil, message: rung.message)
        }
        let fitting = Self.fittingLabels(layout)
        for label in LadderPlan.labels where qualities[label] == nil {
            qualities[label] = Quality(
                status: .skipped, progress: 0, playlist: nil, targetResolution: nil, startedAt: nil, finishedAt: nil,
                message: fitting.contains(label) ? "it was not asked for" : "the original is smaller")
        }
        let original = layout.original
        self.init(
            uploadId: job.videoId.compact, filename: original?.filename, overall: job.overall,
            startedAt: job.startedAt, finishedAt: job.finishedAt,
            originalResolution: original.map { "\($0.width)x\($0.height)" },
            originalQualityLabel: original?.qualityLabel, masterPlaylist: "\(root)/master.m3u8", qualities: qualities)
    }

    private static func fittingLabels(_ layout: VideoLayout) -> Set<String> {
        guard let source = layout.renditions.first(where: { $0.stream == .source }),
            let ladder = try? LadderPlan(width: source.width, height: source.height)
        else { return [] }
        return Set(ladder.rungs.map(\.label))
    }
}
