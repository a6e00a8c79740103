import Base
import Digests
import HTTPTypes
import Media
import MetadataAPI
import SmartClient

/// How answers are made.
extension StreamingOrigin {
    /// - Parameter kept: what was made of an older edition; given back when it is still the same.
    func make(_ asset: Asset, of edition: Edition, _ kept: Answer?) async throws -> Answer {
        if let part = try edition.layout.part(of: asset) {
            if let kept, kept.tag == part.tag { return kept }
            return Answer(try await bytes(of: part), tag: part.tag, asset)
        }
        let bytes = try await rendered(asset, of: edition)
        let tag = EntityTag(String(SHA256.digest(of: bytes).hex.prefix(32)))
        if let kept, kept.tag == tag { return kept }
        let memory = try memory.take(bytes.count)
        memory.buffer.copyBytes(from: bytes)
        return Answer(memory.region, tag: tag, asset)
    }

    private func bytes(of part: StreamPart) async throws -> MemoryRegion {
        let bytes = try memory.take(part.range.count)
        let source = try reader.source(chunks: part.chunks, range: part.range)
        var offset = 0
        while let piece = try await source.next() {
            guard piece.count <= bytes.buffer.count - offset else { break }
            UnsafeMutableRawBufferPointer(rebasing: bytes.buffer[offset...]).copyBytes(from: piece)
            offset += piece.count
        }
        guard offset == bytes.buffer.count else {
            throw Failure(.corrupt, "the chunks hold other than the \(bytes.buffer.count) bytes that they should")
        }
        return bytes.region
    }

    private func rendered(_ asset: Asset, of edition: Edition) async throws -> [UInt8] {
        let layout = edition.layout
        switch asset {
        case .master:
            try layout.requireOffer()
            return Array(layout.masterPlaylist.utf8)
        case .manifest:
            try layout.requireOffer()
            return Array(try await manifest(of: edition).utf8)
        case .playlist(let quality): return Array(try layout.rendition(quality).mediaPlaylist.utf8)
        case .qualities: return try JSON.encode(QualitiesMessage(layout))
        case .thumbnail, .initialization, .segment: preconditionFailure("\(asset) is made of chunks")
        }
    }

    private func manifest(of edition: Edition) async throws -> String {
        var sets: [DASHManifest.AdaptationSet] = []
        for set in DASHLayout(edition.layout).sets {
            var representations: [DASHManifest.Representation] = []
            for rendition in set.renditions {
                representations.append(rendition.representation(try await timingTrack(of: rendition, in: edition)))
            }
            sets.append(
                DASHManifest.AdaptationSet(
                    content: set.content, isIndependent: set.renditions.allSatisfy(\.isOfLadder),
                    representations: representations))
        }
        return DASHManifest.text(of: sets)
    }

    /// The track whose time a rendition's segments keep: its picture, or its sound where it has none.
    private func timingTrack(of rendition: PlayableRendition, in edition: Edition) async throws
        -> InitializationSegment.Track
    {
        let bytes = try await answer(.initialization(quality: rendition.label), of: edition).bytes.bytes
        var parser = FragmentParser()
        let events = try parser.feed(Array(bytes))
        guard case .initialization(let segment)? = events.first,
            let track = segment.video ?? segment.tracks.first
        else {
            throw Failure(
                .corrupt,
                "quality '\(rendition.label)' of video \(edition.layout.video.videoId) has no initialization segment")
        }
        return track
    }
}

extension Answer {
    fileprivate convenience init(_ bytes: MemoryRegion, tag: EntityTag, _ asset: Asset) {
        self.init(bytes, tag: tag, contentType: asset.contentType, cacheControl: asset.cacheControl)
    }
}

extension Asset {
    var contentType: String {
        switch self {
        case .master, .playlist: "application/vnd.apple.mpegurl"
        case .manifest: "application/dash+xml"
        case .qualities: "application/json"
        case .thumbnail: "image/jpeg"
        case .initialization, .segment: "video/mp4"
        }
    }

    /// What is made of chunks never changes.
    var cacheControl: String {
        switch self {
        case .master, .playlist, .manifest, .qualities: "no-cache"
        case .thumbnail, .initialization, .segment: "public, max-age=31536000, immutable"
        }
    }
}

extension VideoLayout {
    /// The chunks' bytes that an asset is; nil for what is rendered.
    func part(of asset: Asset) throws -> StreamPart? {
        switch asset {
        case .master, .manifest, .qualities, .playlist: return nil
        case .thumbnail:
            let chunks = chunks(of: .thumbnail)
            guard !chunks.isEmpty else { throw Failure(.notFound, "video \(video.videoId) has no thumbnail") }
            return try StreamPart(wholeOf: chunks)
        case .initialization(let quality):
            let rendition = try rendition(quality)
            return try part(rendition.initialization, digest: rendition.initializationDigest)
        case .segment(let quality, let index):
            let rendition = try rendition(quality)
            guard index < rendition.segments.count else { throw rendition.hasNo(StreamAssets.segment(index)) }
            return try part(rendition.segments[index].place)
        }
    }

    fileprivate func requireOffer() throws(Failure) {
        guard !offered.isEmpty else {
            throw Failure(.notFound, "video \(video.videoId) has no rendition to stream")
        }
    }
}

extension PlayableRendition {
    func hasNo(_ name: String) -> Failure {
        let last = segments.isEmpty ? "none" : StreamAssets.segment(segments.count - 1)
        return Failure(
            .notFound,
            "quality '\(label)' has no '\(name.prefix(80))'; its files are \(StreamAssets.playlist), "
                + "\(StreamAssets.initialization) and segments up to \(last)")
    }
}
