import Base
import Digests
import HTTPTypes
import Media
import MetadataAPI
import SmartClient
import Synchronization

/// Says what a video consists of. The metadata service does.
package protocol LayoutSource: Sendable {
    func layout(_ id: VideoID) async throws -> VideoLayout
}

extension MetadataClient: LayoutSource {}

/// Answers for a video's assets from its layout and its chunks.
package final class StreamingOrigin: Sendable {
    /// Chunks of all the layouts that are kept, at some 400 bytes each, and for how long without asking again. An
    /// active video's renditions grow, it can be deleted, and its chunks can move.
    package static let layoutChunksMax = 100_000
    package static let layoutLifetime: Duration = .seconds(2)
    /// How much longer they serve while the metadata service is down.
    package static let layoutGrace: Duration = .seconds(300)
    /// A larger asset is streamed instead of kept.
    package static let cachedAssetBytesMax = 16 * ByteCount.mebibyte
    /// What an entry costs beside its bytes, so that many small ones are bounded too.
    private static let entryOverheadBytes = 1024

    private static let immutable = "public, max-age=31536000, immutable"

    private let layoutSource: any LayoutSource
    private let reader: ChunkReader
    private let layouts: CoalescingCache<VideoID, VideoLayout>
    private let assets: CoalescingCache<EntityTag, [UInt8]>

    private let cachedAssetBytesMax: Int

    package init(
        layouts: any LayoutSource, chunks: any ChunkSource, cacheBytes: Int,
        cachedAssetBytesMax: Int = StreamingOrigin.cachedAssetBytesMax,
        clock: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        self.cachedAssetBytesMax = cachedAssetBytesMax
        layoutSource = layouts
        reader = ChunkReader(chunks)
        self.layouts = CoalescingCache(
            costMax: Self.layoutChunksMax, lifetime: Self.layoutLifetime, grace: Self.layoutGrace,
            clock: clock, cost: { layout in layout.streams.reduce(1) { $0 + $1.chunks.count } })
        assets = CoalescingCache(costMax: cacheBytes, cost: { $0.count + Self.entryOverheadBytes })
    }

    package var cachedBytes: Int { assets.costKept }
    package var cacheHits: Int { assets.hits }
    package var cacheMisses: Int { assets.misses }

    func master(_ request: Request) async throws -> Response {
        playlist(try await offeringLayout(request).masterPlaylist, for: request)
    }

    func manifest(_ request: Request) async throws -> Response {
        let layout = try await offeringLayout(request)
        var sets: [DASHManifest.AdaptationSet] = []
        for set in DASHLayout(layout).sets {
            var representations: [DASHManifest.Representation] = []
            for rendition in set.renditions {
                representations.append(rendition.representation(try await timingTrack(of: rendition, in: layout)))
            }
            sets.append(
                DASHManifest.AdaptationSet(
                    content: set.content, isIndependent: set.renditions.allSatisfy(\.isOfLadder),
                    representations: representations))
        }
        return playlist(DASHManifest.text(of: sets), "application/dash+xml", for: request)
    }

    func mediaPlaylist(_ request: Request) async throws -> Response {
        let layout = try await playableLayout(request)
        return playlist(try layout.rendition(request.parameters["quality"]).mediaPlaylist, for: request)
    }

    func initialization(_ request: Request) async throws -> Response {
        let layout = try await playableLayout(request)
        let rendition = try layout.rendition(request.parameters["quality"])
        let part = try layout.part(rendition.initialization, digest: rendition.initializationDigest)
        return try await asset(part, "video/mp4", for: request)
    }

    func segment(_ request: Request) async throws -> Response {
        let layout = try await playableLayout(request)
        let rendition = try layout.rendition(request.parameters["quality"])
        let name = request.parameters["segment"]
        guard let index = StreamAssets.segmentIndex(of: name), index < rendition.segments.count else {
            let last = rendition.segments.isEmpty ? "none" : StreamAssets.segment(rendition.segments.count - 1)
            throw Failure(
                .notFound,
                "quality '\(rendition.label)' has no '\(name.prefix(80))'; its files are \(StreamAssets.playlist), "
                    + "\(StreamAssets.initialization) and segments up to \(last)")
        }
        return try await asset(try layout.part(rendition.segments[index].place), "video/mp4", for: request)
    }

    func thumbnail(_ request: Request) async throws -> Response {
        let layout = try await playableLayout(request)
        let chunks = layout.chunks(of: .thumbnail)
        guard !chunks.isEmpty else { throw Failure(.notFound, "video \(layout.video.videoId) has no thumbnail") }
        return try await asset(try StreamPart(wholeOf: chunks), "image/jpeg", for: request)
    }

    func original(_ request: Request) async throws -> Response {
        let layout = try await playableLayout(request)
        guard let original = layout.original else {
            throw Failure(.notFound, "the original of video \(layout.video.videoId) is not kept")
        }
        let part = try StreamPart(of: layout.chunks(of: .original), offset: 0, size: original.sizeBytes)
        let headers: HTTPHeaders = [
            "Content-Disposition": OriginalHeaders.contentDisposition(of: original), "Cache-Control": "no-cache",
            "X-Content-Type-Options": "nosniff",
        ]
        return try await streamed(
            part, EntityTag(original.checksum.hex), OriginalHeaders.contentType(of: original), headers, for: request)
    }

    func qualities(_ request: Request) async throws -> Response {
        try .json(QualitiesMessage(try await playableLayout(request)))
    }

    func unknownAsset(_ request: Request) async throws -> Response {
        let layout = try await playableLayout(request)
        let qualities = layout.playable.map { "\($0.label)/\(StreamAssets.playlist)" }
        let known =
            [StreamAssets.master, StreamAssets.manifest] + qualities + ["qualities", "original", "thumbnail.jpg"]
        throw Failure(
            .notFound,
            "video \(layout.video.videoId) has no '\(request.parameters["asset_path"].prefix(80))'; it has: "
                + known.joined(separator: ", "))
    }

    private func playableLayout(_ request: Request) async throws -> VideoLayout {
        let id = try request.videoID()
        let layout = try await layouts.value(for: id) { [layoutSource] in try await layoutSource.layout(id) }
        try layout.requirePlayable()
        return layout
    }

    private func offeringLayout(_ request: Request) async throws -> VideoLayout {
        let layout = try await playableLayout(request)
        guard !layout.offered.isEmpty else {
            throw Failure(.notFound, "video \(layout.video.videoId) has no rendition to stream")
        }
        return layout
    }

    /// The track whose time a rendition's segments keep: its picture, or its sound where it has none.
    private func timingTrack(of rendition: PlayableRendition, in layout: VideoLayout) async throws
        -> InitializationSegment.Track
    {
        let part = try layout.part(rendition.initialization, digest: rendition.initializationDigest)
        var parser = FragmentParser()
        let events = try parser.feed(try await keptBytes(of: part))
        guard case .initialization(let segment)? = events.first,
            let track = segment.video ?? segment.tracks.first
        else {
            throw Failure(
                .corrupt,
                "quality '\(rendition.label)' of video \(layout.video.videoId) has no initialization segment")
        }
        return track
    }

    private func playlist(
        _ text: String, _ contentType: String = "application/vnd.apple.mpegurl", for request: Request
    ) -> Response {
        let bytes = Array(text.utf8)
        let tag = EntityTag(String(SHA256.digest(of: bytes).hex.prefix(32)))
        return Response.content(
            for: request, size: bytes.count, tag: tag, contentType: contentType, headers: ["Cache-Control": "no-cache"]
        ) { .bytes(Array(bytes[$0])) }
    }

    /// A part that never changes: from the cache when it is small.
    private func asset(_ part: StreamPart, _ contentType: String, for request: Request) async throws -> Response {
        let headers: HTTPHeaders = ["Cache-Control": Self.immutable]
        let isUnchanged = part.tag.matches(ifNoneMatch: request.header("If-None-Match"))
        if request.method == .head || isUnchanged || part.range.count > cachedAssetBytesMax {
            return try await streamed(part, part.tag, contentType, headers, for: request)
        }
        let bytes = try await keptBytes(of: part)
        return Response.content(
            for: request, size: bytes.count, tag: part.tag, contentType: contentType, headers: headers
        ) { $0.count == bytes.count ? .bytes(bytes) : .bytes(Array(bytes[$0])) }
    }

    private func keptBytes(of part: StreamPart) async throws -> [UInt8] {
        try await assets.value(for: part.tag) { [reader] in
            try await reader.bytes(chunks: part.chunks, range: part.range)
        }
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
