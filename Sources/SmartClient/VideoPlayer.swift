import Base
import HTTPTypes
import MetadataAPI

/// What the players and the verifier ask of the metadata service.
package protocol VideoCatalog: Sendable {
    func videos(limit: Int, offset: Int) async throws -> [VideoSummary]
    func layout(_ id: VideoID) async throws -> VideoLayout
    func manifest(_ id: VideoID) async throws -> Manifest
}

extension MetadataClient: VideoCatalog {}

/// How far a video has been played.
package struct PlaybackProgress: Sendable, Equatable {
    package let bytes: Int
    package let bytesTotal: Int
    package let chunks: Int
    package let chunksTotal: Int
    /// Playing time of the chunks so far, and of the video.
    package let seconds: Double
    package let secondsTotal: Double
}

/// Plays a video's manifest from its beginning to its end, as fast as the sink takes it.
package struct VideoPlayer: Sendable {
    private let catalog: any VideoCatalog
    private let chunks: any ChunkSource

    package init(catalog: any VideoCatalog, chunks: any ChunkSource) {
        self.catalog = catalog
        self.chunks = chunks
    }

    /// - Parameters:
    ///   - sink: gets the bytes of the fragmented MP4 in order; the next come when it returns.
    ///   - progress: called after each chunk.
    /// - Returns: where it ended.
    /// - Throws: ``ChunkUnavailable``; ``Failure`` when the manifest is not complete; what the catalog and the sink
    ///   throw.
    @discardableResult
    package func play(
        _ id: VideoID, to sink: ([UInt8]) async throws -> Void, progress: (PlaybackProgress) -> Void = { _ in }
    ) async throws -> PlaybackProgress {
        let manifest = try await catalog.manifest(id)
        let list = try Self.playableChunks(of: manifest)
        let bytesTotal = list.reduce(0) { $0 + $1.sizeBytes }
        let source = try ChunkReader(chunks).source(chunks: list, range: 0..<bytesTotal)
        var bytes = 0
        var state = PlaybackProgress(
            bytes: 0, bytesTotal: bytesTotal, chunks: 0, chunksTotal: list.count, seconds: 0,
            secondsTotal: manifest.durationSec)
        for (index, chunk) in list.enumerated() {
            guard let piece = try await source.next() else { break }
            try await sink(piece)
            bytes += piece.count
            state = PlaybackProgress(
                bytes: bytes, bytesTotal: bytesTotal, chunks: index + 1, chunksTotal: list.count,
                seconds: chunk.startSec + chunk.durationSec, secondsTotal: manifest.durationSec)
            progress(state)
        }
        return state
    }

    private static func playableChunks(of manifest: Manifest) throws(Failure) -> [ManifestChunk] {
        guard manifest.status == .active else {
            throw Failure(.conflict, "video \(manifest.videoId) cannot be played: it is \(manifest.status.rawValue)")
        }
        let chunks = manifest.chunks.sorted { $0.sequenceNum < $1.sequenceNum }
        let isComplete = chunks.map(\.sequenceNum) == Array(0..<manifest.totalChunks)
        guard isComplete, !chunks.isEmpty, chunks.allSatisfy({ (1...ByteCount.gibibyte).contains($0.sizeBytes) }) else {
            throw Failure(
                .corrupt,
                "the manifest of video \(manifest.videoId) is not complete: it names \(chunks.count) of \(manifest.totalChunks) chunks"
            )
        }
        return chunks
    }
}
