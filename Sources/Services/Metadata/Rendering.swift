import Base
import Catalog
import MetadataAPI

/// Makes messages of what the catalog holds.
struct Rendering: Sendable {
    let configuration: MetadataConfiguration

    /// The source stream for clients, with node URLs as they reach them.
    func manifest(_ contents: VideoContents, _ nodes: NodeView) -> Manifest {
        let video = contents.video
        let addresses = Addresses(nodes, configuration.translation.external)
        let chunks = contents.chunks.filter { $0.stream == .source }.map(addresses.message)
        return Manifest(
            videoId: video.id, title: video.title, durationSec: video.durationSec, totalChunks: chunks.count,
            chunkDurationSec: configuration.chunkDurationSec, chunkSizeBytes: configuration.chunkSizeBytes,
            createdAt: video.createdAt, status: VideoStatus(video.status), chunks: chunks)
    }

    /// Everything, for the services inside.
    func layout(_ contents: VideoContents, _ nodes: NodeView) -> VideoLayout {
        let addresses = Addresses(nodes) { $0 }
        var streams: [StreamMessage] = []
        let parts = Set(contents.ladder.flatMap(\.parts).map(\.stream))
        // What an attempt stores is nobody's business before it counts.
        let chunks = contents.chunks.filter { !$0.stream.isAttempt || parts.contains($0.stream) }
        for run in chunks.chunked(by: \.stream) {
            streams.append(StreamMessage(stream: run[run.startIndex].stream, chunks: run.map(addresses.message)))
        }
        return VideoLayout(
            video: VideoSummary(contents.video), original: contents.original.map(OriginalMessage.init),
            renditions: contents.renditions.map(RenditionMessage.init),
            ladder: contents.ladder.map(LadderRenditionMessage.init), streams: streams)
    }
}

/// Where each node is, and how good a choice.
private struct Addresses {
    private let urls: [NodeID: (url: String, rank: Int)]
    private let corrupt: [NodeID: Set<ChunkID>]

    init(_ nodes: NodeView, _ shown: (String) -> String) {
        urls = Dictionary(
            nodes.entries.map { entry in
                let rank =
                    switch entry.status {
                    case .healthy: 0
                    case .degraded: 1
                    case .down: 2
                    }
                return (entry.node.id, (shown(entry.node.url), rank))
            }
        ) { first, _ in first }
        let damaged = nodes.entries.filter { !$0.node.report.corruptChunks.isEmpty }
        corrupt = Dictionary(damaged.map { ($0.node.id, Set($0.node.report.corruptChunks)) }) { first, _ in first }
    }

    func message(_ chunk: Chunk) -> ManifestChunk {
        ManifestChunk(
            chunkId: chunk.id, sequenceNum: chunk.sequence, sizeBytes: chunk.sizeBytes, checksum: chunk.checksum,
            redundancyMode: chunk.redundancyMode, replicas: replicas(of: chunk), startSec: chunk.startSec,
            durationSec: chunk.durationSec)
    }

    /// The best first; among equals each chunk begins with another, so that readers who take the first spread out.
    private func replicas(of chunk: Chunk) -> [String] {
        let shift = chunk.replicas.isEmpty ? 0 : chunk.sequence % chunk.replicas.count
        let rotated = chunk.replicas[shift...] + chunk.replicas[..<shift]
        let choices = rotated.compactMap { node in
            urls[node].map { (url: $0.url, rank: corrupt[node]?.contains(chunk.id) == true ? 3 : $0.rank) }
        }
        // `sorted` is stable.
        return choices.sorted { $0.rank < $1.rank }.map(\.url)
    }
}

extension Array {
    /// Runs of neighbours that have the same key.
    fileprivate func chunked<Key: Equatable>(by key: (Element) -> Key) -> [ArraySlice<Element>] {
        var runs: [ArraySlice<Element>] = []
        var start = startIndex
        for index in indices where index > start && key(self[index]) != key(self[start]) {
            runs.append(self[start..<index])
            start = index
        }
        if start < endIndex { runs.append(self[start...]) }
        return runs
    }
}
