import Base
import ChunkStore
import HTTPTypes

/// `/scrub`: how far the node is with reading everything it holds, and beginning anew.
struct ScrubRoutes: Sendable {
    private static let rateMax = 1 << 40

    private let scrubber: Scrubber
    private let store: ChunkStore

    init(_ service: StorageNodeService) {
        scrubber = service.scrubber
        store = service.store
    }

    func add(to router: inout Router) {
        router.task(.get, "/scrub", "How far the node is with verifying all it holds") { _ in
            try Response.json(report)
        }
        router.task(.post, "/scrub", "Begins to verify all it holds now, ?bytes_per_sec=N at another rate") { request in
            let rate = try request.integer("bytes_per_sec", default: 0, in: 1...Self.rateMax)
            try scrubber.request(bytesPerSecond: rate == 0 ? nil : rate)
            return try Response.json(report, status: .accepted)
        }
    }

    private var report: ScrubReport {
        ScrubReport(scrubber.progress, statistics: store.statistics, damagedChunks: store.corruptChunks)
    }
}

private struct ScrubReport: Encodable {
    /// `off`, `idle`, `running` or `paused`.
    let status: String
    let bytesDone: Int
    let bytesTotal: Int
    let chunksDone: Int
    let chunksTotal: Int
    let bytesPerSec: Int
    let bytesPerSecMax: Int
    let damagedFound: Int
    let corruptChunkCount: Int
    let corruptRecordCount: Int
    /// At most 1000 of them.
    let corruptChunks: [ChunkID]
    let startedAt: Timestamp?
    let lastFinishedAt: Timestamp?
    let nextAt: Timestamp?

    init(_ progress: ScrubProgress, statistics: ChunkStoreStatistics, damagedChunks: [ChunkID]) {
        status = progress.state.rawValue
        bytesDone = progress.bytesDone
        bytesTotal = progress.bytesTotal
        chunksDone = progress.chunksDone
        chunksTotal = progress.chunksTotal
        bytesPerSec = Int(progress.bytesPerSecond)
        bytesPerSecMax = progress.bytesPerSecondMax
        damagedFound = progress.damagedFound
        corruptChunkCount = statistics.corruptChunks
        corruptRecordCount = statistics.corruptRecords
        corruptChunks = damagedChunks
        startedAt = progress.startedAt
        lastFinishedAt = progress.lastFinishedAt
        nextAt = progress.nextAt
    }
}
