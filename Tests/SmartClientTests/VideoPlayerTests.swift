import Base
import MetadataAPI
import SmartClient
import Testing

@Suite struct VideoPlayerTests {
    private let nodes = FakeNodes()
    private let id = VideoID()

    private func manifest(_ chunks: [ManifestChunk], total: Int? = nil, status: VideoStatus = .active) -> Manifest {
        Manifest(
            videoId: id, title: "A video", durationSec: Double(chunks.count) * 2, totalChunks: total ?? chunks.count,
            chunkDurationSec: 2, chunkSizeBytes: 100, createdAt: Timestamp(nanoseconds: 0), status: status,
            chunks: chunks)
    }

    @Test("the sink gets the manifest's chunks in sequence, and the progress ends at the whole")
    func plays() async throws {
        let (chunks, bytes) = makeStream(id, sizes: [100, 50, 70], on: nodes)
        let catalog = FakeCatalog(manifests: [id: manifest([chunks[2], chunks[0], chunks[1]])])
        var played: [UInt8] = []
        var steps: [PlaybackProgress] = []
        let player = VideoPlayer(catalog: catalog, chunks: ChunkFetcher.patient(nodes))
        let end = try await player.play(id, to: { played += $0 }, progress: { steps.append($0) })
        #expect(played == bytes)
        #expect(steps.map(\.bytes) == [100, 150, 220])
        #expect(steps.map(\.seconds) == [2, 4, 6])
        #expect(steps.last == end)
        #expect(end.chunks == end.chunksTotal && end.bytes == end.bytesTotal && end.secondsTotal == 6)
    }

    @Test("a manifest with a gap, too few chunks, or of a video that is not active is refused before a byte is played")
    func refuses() async throws {
        let (chunks, _) = makeStream(id, sizes: [100, 50, 70], on: nodes)
        let bad = [
            manifest([chunks[0], chunks[2]]), manifest(chunks, total: 4), manifest([]),
            manifest(chunks, status: .uploading), manifest(chunks, status: .deleted),
        ]
        for manifest in bad {
            let player = VideoPlayer(
                catalog: FakeCatalog(manifests: [id: manifest]), chunks: ChunkFetcher.patient(nodes))
            await #expect(throws: Failure.self) { try await player.play(id, to: { _ in }) }
        }
        #expect(nodes.asked.isEmpty)
    }

    @Test("an error of the sink ends the playing")
    func sinkFails() async throws {
        let (chunks, _) = makeStream(id, sizes: [100, 50, 70], on: nodes)
        let player = VideoPlayer(
            catalog: FakeCatalog(manifests: [id: manifest(chunks)]), chunks: ChunkFetcher.patient(nodes))
        await #expect(throws: Failure.self) {
            try await player.play(id, to: { _ in throw Failure(.insufficientStorage, "the disk is full") })
        }
    }
}
