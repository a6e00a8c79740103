import Base
import HTTPClient
import HTTPTypes
import MetadataAPI

/// Reads every copy of every chunk of every stream, and compares each with its checksum.
package struct VideoVerifier: Sendable {
    /// Chunks that are looked at at once: each holds one copy in memory at a time.
    package static let concurrencyDefault = 4
    /// Videos asked of the catalog at once.
    private static let pageSize = 500

    private let catalog: any VideoCatalog
    private let transport: any ReplicaTransport
    private let copiesWanted: Int
    private let concurrency: Int

    /// - Parameter copiesWanted: how many copies a chunk should have: the size of the placement groups.
    package init(
        catalog: any VideoCatalog, transport: any ReplicaTransport, copiesWanted: Int = 3,
        concurrency: Int = VideoVerifier.concurrencyDefault
    ) {
        self.catalog = catalog
        self.transport = transport
        self.copiesWanted = copiesWanted
        self.concurrency = max(1, concurrency)
    }

    /// Verifies every active video.
    /// - Throws: what the catalog throws when it cannot say which videos there are; a video whose own layout cannot be
    ///   had is reported, not thrown.
    package func verifyAll(progress: (VerificationProgress) -> Void = { _ in }) async throws -> VerificationReport {
        var all: [VideoSummary] = []
        while true {
            let page = try await catalog.videos(limit: Self.pageSize, offset: all.count)
            all += page
            if page.count < Self.pageSize { break }
        }
        let active = all.filter { $0.status == .active }
        var reports: [VideoReport] = []
        for (index, video) in active.enumerated() {
            reports.append(
                try await verify(video) { chunks, total in
                    progress(
                        VerificationProgress(
                            videoTitle: video.title, videoIndex: index, videoCount: active.count, chunks: chunks,
                            chunksTotal: total))
                })
        }
        return VerificationReport(videos: reports, skipped: all.filter { $0.status != .active })
    }

    /// Verifies one video.
    /// - Parameter progress: gets the chunks looked at so far, and all of them.
    /// - Throws: only when the task is cancelled.
    package func verify(_ video: VideoSummary, progress: (Int, Int) -> Void = { _, _ in }) async throws -> VideoReport {
        let layout: VideoLayout
        do {
            layout = try await catalog.layout(video.videoId)
        } catch {
            try Task.checkCancellation()
            let reason = (error as? any PresentableError)?.message ?? "its layout cannot be read"
            return VideoReport(video: video, chunkCount: 0, intactBytes: 0, findings: [], problem: reason)
        }
        let chunks = layout.streams.flatMap(\.chunks)
        let reports = try await reports(of: chunks) { progress($0, chunks.count) }
        let findings = reports.filter { $0.verdict != .intact || !$0.corruptCopies.isEmpty }
        let sizes = Dictionary(chunks.map { ($0.chunkId, $0.sizeBytes) }) { first, _ in first }
        let intactBytes = reports.reduce(0) { $0 + $1.intactCopies * (sizes[$1.chunk] ?? 0) }
        let isEmpty = chunks.isEmpty ? "it has no chunks" : nil
        return VideoReport(
            video: video, chunkCount: chunks.count, intactBytes: intactBytes, findings: findings, problem: isEmpty)
    }

    /// The chunks' reports in the chunks' order.
    private func reports(of chunks: [ManifestChunk], progress: (Int) -> Void) async throws -> [ChunkReport] {
        try await withThrowingTaskGroup(of: (Int, ChunkReport).self) { group in
            var reports = [ChunkReport?](repeating: nil, count: chunks.count)
            var next = 0
            var done = 0
            while done < chunks.count {
                while next < chunks.count, next - done < concurrency {
                    group.addTask { [next] in (next, await report(on: chunks[next])) }
                    next += 1
                }
                guard let (index, report) = try await group.next() else { break }
                try Task.checkCancellation()
                reports[index] = report
                done += 1
                progress(done)
            }
            return reports.compactMap(\.self)
        }
    }

    private func report(on chunk: ManifestChunk) async -> ChunkReport {
        var copies: [CopyReport] = []
        for replica in chunk.replicas {
            copies.append(CopyReport(replica: replica, state: await state(of: chunk, on: replica)))
        }
        return ChunkReport(chunk: chunk.chunkId, copiesWanted: copiesWanted, copies: copies)
    }

    private func state(of chunk: ManifestChunk, on replica: String) async -> CopyReport.State {
        do {
            try ChunkIntegrity.check(try await transport.fetch(chunk.chunkId, from: replica), chunk)
            return .intact
        } catch let error as HTTPClientError {
            switch error.code {
            case .status(.notFound): return .missing
            // A node never gives bytes that fail its own check; it says 500 instead.
            case .status(.internalServerError), .tooLarge: return .corrupt(error.message)
            default: return .unreachable(error.message)
            }
        } catch let error as Failure where error.category == .corrupt {
            return .corrupt(error.message)
        } catch {
            return .unreachable((error as? any PresentableError)?.message ?? "failed")
        }
    }
}
