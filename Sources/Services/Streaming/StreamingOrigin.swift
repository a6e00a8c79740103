import Base
import HTTPTypes
import MetadataAPI
import SmartClient
import Synchronization

/// Answers for a video's assets from its layout and its chunks.
///
/// What is asked often is answered on the server's own thread from memory (``reply(to:_:)``); everything else from a
/// task, which leaves what it has made there.
package final class StreamingOrigin: Sendable {
    /// Chunks of all the layouts that are kept, and for how long without asking again. An active video's renditions
    /// grow, it can be deleted, and its chunks can move.
    package static let layoutChunksMax = 100_000
    package static let layoutLifetime: Duration = .seconds(2)
    /// The same of a video of which more comes every moment: somebody may wait for it.
    package static let growingLayoutLifetime: Duration = .milliseconds(500)
    /// How much longer they serve while the metadata service is down.
    package static let layoutGrace: Duration = .seconds(300)
    /// A larger asset is streamed instead of kept.
    package static let cachedAssetBytesMax = 16 * ByteCount.mebibyte
    /// Memory for answers that are made, and sent, even where none are kept.
    private static let memoryBytesMin = 64 * ByteCount.mebibyte

    let reader: ChunkReader
    let memory: AnswerMemory
    private let editions: CoalescingCache<VideoID, Edition>
    private let answers: AnswerCache
    private let cachedAssetBytesMax: Int

    /// - Parameter cacheBytes: bounds the answers that are kept. Those that are kept no more while they are still sent, or
    ///   are being made, take as much again at most.
    package init(
        layouts: any LayoutSource, chunks: any ChunkSource, cacheBytes: Int,
        cachedAssetBytesMax: Int = StreamingOrigin.cachedAssetBytesMax,
        clock: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        self.cachedAssetBytesMax = cachedAssetBytesMax
        reader = ChunkReader(chunks)
        memory = AnswerMemory(bytesMax: max(2 * cacheBytes, Self.memoryBytesMin))
        answers = AnswerCache(bytesMax: cacheBytes)
        editions = CoalescingCache(
            costMax: Self.layoutChunksMax,
            lifetime: { $0.isGrowing ? Self.growingLayoutLifetime : Self.layoutLifetime }, grace: Self.layoutGrace,
            clock: clock,
            cost: { $0.cost }, load: { try await Edition.current($0, after: $1, from: layouts) })
    }

    package var cachedBytes: Int { answers.bytesKept }
    package var memoryBytes: Int { memory.usedBytes }
    package var cacheHits: Int { answers.hits }
    package var cacheMisses: Int { answers.misses }

    /// On the server's own thread: what is in memory and right, at once; anything else from a task.
    func reply(to view: any RequestView, _ asset: Asset) throws -> Reply {
        let id = try view.videoID()
        if let edition = editions.fresh(id),
            let answer = answers.find(AnswerCache.Key(video: id, asset: asset), edition: edition.number)
        {
            return answer.reply(to: view)
        }
        let request = view.snapshot()
        return .task { try await self.respond(to: request, asset) }
    }

    /// A media segment, or an error that says which files there are.
    func segment(_ view: any RequestView) throws -> Reply {
        let quality = view.parameters["quality"]
        if let index = StreamAssets.segmentIndex(of: view.parameters["segment"]) {
            return try reply(to: view, .segment(quality: quality, index: index))
        }
        let request = view.snapshot()
        return .task {
            let rendition = try await self.playableEdition(request).layout.rendition(quality)
            throw rendition.hasNo(request.parameters["segment"])
        }
    }

    func original(_ request: Request) async throws -> Response {
        let layout = try await playableEdition(request).layout
        guard let original = layout.original else {
            throw Failure(.notFound, "the original of video \(layout.video.videoId) is not kept")
        }
        guard layout.isOriginalStored else {
            throw Failure(
                .conflict, "the original of video \(layout.video.videoId) is still being stored; try again in a moment")
        }
        let part = try StreamPart(of: layout.chunks(of: .original), offset: 0, size: original.sizeBytes)
        let headers: HTTPHeaders = [
            "Content-Disposition": OriginalHeaders.contentDisposition(of: original), "Cache-Control": "no-cache",
            "X-Content-Type-Options": "nosniff",
        ]
        return try await streamed(
            part, EntityTag(original.checksum.hex), OriginalHeaders.contentType(of: original), headers, for: request)
    }

    func unknownAsset(_ request: Request) async throws -> Response {
        let layout = try await playableEdition(request).layout
        let qualities = layout.playable.map { "\($0.label)/\(StreamAssets.playlist)" }
        let known =
            [StreamAssets.master, StreamAssets.manifest] + qualities + ["qualities", "original", "thumbnail.jpg"]
        throw Failure(
            .notFound,
            "video \(layout.video.videoId) has no '\(request.parameters["asset_path"].prefix(80))'; it has: "
                + known.joined(separator: ", "))
    }

    private func respond(to request: Request, _ asset: Asset) async throws -> Response {
        let edition = try await playableEdition(request)
        if let part = try edition.layout.part(of: asset), !isWorthKeeping(part, for: request) {
            return try await streamed(
                part, part.tag, asset.contentType, ["Cache-Control": asset.cacheControl], for: request)
        }
        return try await answer(asset, of: edition).response(to: request)
    }

    /// Whoever only asks for the head, or has the bytes already, does not make the chunks be read.
    private func isWorthKeeping(_ part: StreamPart, for request: Request) -> Bool {
        request.method != .head && !part.tag.matches(ifNoneMatch: request.header("If-None-Match"))
            && part.range.count <= cachedAssetBytesMax
    }

    func answer(_ asset: Asset, of edition: Edition) async throws -> Answer {
        let key = AnswerCache.Key(video: edition.layout.video.videoId, asset: asset)
        return try await answers.answer(key, edition: edition.number) { kept in
            try await self.make(asset, of: edition, kept)
        }
    }

    private func playableEdition(_ request: Request) async throws -> Edition {
        let edition = try await editions.value(for: try request.videoID())
        try edition.layout.requirePlayable()
        return edition
    }

    private func streamed(
        _ part: StreamPart, _ tag: EntityTag, _ contentType: String, _ headers: HTTPHeaders, for request: Request
    ) async throws -> Response {
        let start = part.range.lowerBound
        let response = try Response.content(
            for: request, size: part.range.count, tag: tag, contentType: contentType, headers: headers
        ) { range in
            let range = start + range.lowerBound..<start + range.upperBound
            return .stream(length: range.count, try reader.source(chunks: part.chunks, range: range))
        }
        return request.method == .head ? response : try await Self.begun(response)
    }

    /// The response with its first piece in hand, so that chunks nobody can give are an error and no broken answer.
    private static func begun(_ response: Response) async throws -> Response {
        guard case .stream(let length, let source) = response.body else { return response }
        let first = Locked(try await source.next())
        var response = response
        response.body = .stream(
            length: length,
            ByteSource {
                let piece = first.withLock { first in
                    defer { first = nil }
                    return first
                }
                if let piece { return piece }
                return try await source.next()
            })
        return response
    }
}
