import Base
import ChunkPaxos
import Digests
import HTTPTypes
import MetadataAPI
import SmartClient
import Streaming
import Synchronization

/// A video in memory: the layout as the metadata service tells it, and the chunks.
final class FakeVideo: LayoutSource, ChunkSource {
    private struct State {
        var layout: VideoLayout
        var version = 0
        var failure: (any Error)?
        var chunks: [ChunkID: [UInt8]] = [:]
        var layoutCalls = 0
        var chunkCalls = 0
    }

    let id: VideoID
    let bytes: [ChunkStream: [UInt8]]
    private let state: Locked<State>

    /// Two segments after an initialization segment, or 100 bytes in its place; `source` and `original` in chunks of
    /// `chunkBytes`.
    init(
        segmentBytes: Int = 1000, chunkBytes: Int = 300, original: OriginalMessage? = nil,
        initialization: [UInt8]? = nil
    ) {
        let initializationBytes = initialization?.count ?? 100
        let id = VideoID()
        var streams: [StreamMessage] = []
        var bytes: [ChunkStream: [UInt8]] = [:]
        var chunks: [ChunkID: [UInt8]] = [:]
        let sizes: [(ChunkStream, Int)] = [
            (.source, initializationBytes + 2 * segmentBytes), (.original, original?.sizeBytes ?? 1234),
            (.thumbnail, 77),
        ]
        for (stream, size) in sizes {
            var content = (0..<size).map {
                UInt8(truncatingIfNeeded: $0 &* 37 &+ $0 >> 7 &+ stream.description.utf8.count)
            }
            if stream == .source, let initialization {
                content.replaceSubrange(..<initializationBytes, with: initialization)
            }
            bytes[stream] = content
            var list: [ManifestChunk] = []
            for start in Swift.stride(from: 0, to: size, by: chunkBytes) {
                let part = Array(content[start..<min(size, start + chunkBytes)])
                let chunk = ChunkID(video: id, stream: stream, sequence: list.count)
                chunks[chunk] = part
                list.append(
                    ManifestChunk(
                        chunkId: chunk, sequenceNum: list.count, sizeBytes: part.count,
                        checksum: SHA256.digest(of: part), redundancyMode: .replication, replicas: [], startSec: 0,
                        durationSec: 0))
            }
            streams.append(StreamMessage(stream: stream, chunks: list))
        }
        let rendition = RenditionMessage(
            stream: .source, width: 1920, height: 1080, codecs: "avc1.640028,mp4a.40.2", frameRate: 25,
            bandwidth: 8_000_000, averageBandwidth: 7_500_000, initializationBytes: initializationBytes,
            segments: (0..<2).map {
                SegmentMessage(
                    offsetBytes: initializationBytes + $0 * segmentBytes, sizeBytes: segmentBytes,
                    startSec: Double($0) * 6,
                    durationSec: 6)
            })
        let layout = VideoLayout(
            video: Self.summary(id, .active, nil), original: original ?? Self.original(bytes[.original] ?? []),
            renditions: [rendition], streams: streams)
        self.id = id
        self.bytes = bytes
        state = Locked(State(layout: layout, chunks: chunks))
    }

    static func original(_ bytes: [UInt8], filename: String = "holiday.mp4", type: String = "video/mp4")
        -> OriginalMessage
    {
        OriginalMessage(
            filename: filename, contentType: type, sizeBytes: bytes.count, checksum: SHA256.digest(of: bytes),
            width: 1920, height: 1080, qualityLabel: "1080p")
    }

    private static func summary(_ id: VideoID, _ status: VideoStatus, _ error: String?) -> VideoSummary {
        VideoSummary(
            videoId: id, title: "A video", durationSec: 12, totalChunks: 7, status: status,
            createdAt: Timestamp(nanoseconds: 0), viewCount: 0, sizeBytes: 1234, error: error, hasThumbnail: true)
    }

    var layoutNow: VideoLayout { state.withLock { $0.layout } }
    var layoutCalls: Int { state.withLock { $0.layoutCalls } }
    var chunkCalls: Int { state.withLock { $0.chunkCalls } }

    func set(status: VideoStatus, error: String? = nil) {
        change {
            VideoLayout(
                video: Self.summary(id, status, error), original: $0.original, renditions: $0.renditions,
                streams: $0.streams)
        }
    }

    /// A video that is another one from now on.
    func change(_ layout: (VideoLayout) -> VideoLayout) {
        state.withLock { state in
            state.layout = layout(state.layout)
            state.version += 1
        }
    }

    func set(failure: (any Error)?) { state.withLock { $0.failure = failure } }

    func loseChunks() { state.withLock { $0.chunks = [:] } }

    func layout(_ id: VideoID, unless known: EntityTag?) async throws -> TaggedLayout? {
        try state.withLock { state in
            state.layoutCalls += 1
            if let failure = state.failure { throw failure }
            guard id == self.id else { throw Failure(.notFound, "there is no video \(id)") }
            let tag = EntityTag("\(state.version)")
            return known == tag ? nil : TaggedLayout(layout: state.layout, tag: tag)
        }
    }

    func fetch(_ chunk: ManifestChunk) async throws -> [UInt8] {
        let bytes = state.withLock { state in
            state.chunkCalls += 1
            return state.chunks[chunk.chunkId]
        }
        await Task.yield()
        guard let bytes else { throw Failure(.unavailable, "chunk \(chunk.chunkId) could not be read") }
        return bytes
    }
}

/// The service's routes over a fake video, asked as the server would.
struct TestOrigin {
    private let router: Router

    init(router: Router) { self.router = router }

    /// - Parameter time: goes on when the test says so, so that a slow machine does not make a layout stale.
    init(
        _ video: FakeVideo, cacheBytes: Int = 1_000_000, cachedAssetBytesMax: Int = 1_000_000,
        time: TestTime = TestTime()
    ) throws {
        let origin = StreamingOrigin(
            layouts: video, chunks: video, cacheBytes: cacheBytes, cachedAssetBytesMax: cachedAssetBytesMax,
            clock: { time.now })
        let configuration = try StreamingConfiguration(settings: Settings(environment: [:]))
        var router = Router()
        StreamingService(configuration: configuration, origin: origin).addRoutes(to: &router)
        self.router = router
    }

    func get(_ path: String, _ headers: HTTPHeaders = [:], method: HTTPMethod = .get) async -> Response {
        do {
            switch try reply(path, headers, method: method) {
            case .task(let work): return try await work()
            case .prepared(let prepared): return prepared.response
            case .respond(let response): return response
            default: return .detail(.internalServerError, "a reply that no test knows")
            }
        } catch {
            return .failure(error)
        }
    }

    /// What the server's own thread gets.
    func reply(_ path: String, _ headers: HTTPHeaders = [:], method: HTTPMethod = .get) throws -> Reply {
        guard case .found(let handler, let parameters) = router.match(method, path) else {
            return .respond(.detail(.notFound, "no route"))
        }
        return try handler(Request(method: method, path: path, parameters: parameters, headers: headers))
    }

    /// The answer, where it was given at once by one made before; nil where a task has to give it.
    func prepared(_ path: String) throws -> PreparedResponse? {
        guard case .prepared(let prepared) = try reply(path) else { return nil }
        return prepared
    }
}

/// A clock that stands still until it is told to go on.
final class TestTime: Sendable {
    private let instant = Locked(ContinuousClock.now)

    var now: ContinuousClock.Instant { instant.withLock { $0 } }

    func pass(_ duration: Duration) { instant.withLock { $0 += duration } }
}

extension Response {
    /// The body, whichever way it comes.
    func collect() async throws -> [UInt8] {
        switch body {
        case .empty: return []
        case .bytes(let bytes): return bytes
        case .region(let region): return Array(region.bytes)
        case .stream(_, let source):
            var bytes: [UInt8] = []
            while let piece = try await source.next() { bytes += piece }
            return bytes
        }
    }

    func text() async throws -> String { String(decoding: try await collect(), as: UTF8.self) }
}

/// The least that is an initialization segment: one track, with a timescale.
enum TestInitialization {
    static func bytes(timescale: UInt32) -> [UInt8] {
        let description = box("stsd", words(0, 1) + box("none", []))
        let media = box("mdhd", words(0, 0, 0, timescale, 0, 0)) + box("minf", box("stbl", description))
        let track = box("tkhd", words(0, 0, 0, 1)) + box("mdia", media)
        return box("moov", box("mvhd", words(0, 0, 0, 1000)) + box("trak", track) + box("mvex", []))
    }

    private static func box(_ type: String, _ body: [UInt8]) -> [UInt8] {
        words(UInt32(8 + body.count)) + Array(type.utf8) + body
    }

    private static func words(_ values: UInt32...) -> [UInt8] {
        values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }
    }
}
