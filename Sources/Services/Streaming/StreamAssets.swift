import Base
import Digests
import HTTPTypes
import Media
import MetadataAPI

/// The addresses of a video's assets, relative to its playlists or from the service's root.
enum StreamAssets {
    static let master = "master.m3u8"
    static let manifest = "manifest.mpd"
    static let playlist = "playlist.m3u8"
    static let initialization = "init.mp4"

    /// The names of segments as DASH writes them (ISO/IEC 23009-1 §5.3.9.4.4).
    static let segmentTemplate = "segment-$Number%05d$.m4s"

    static func root(of video: VideoID) -> String { "/stream/\(video)" }

    /// `segment-00000.m4s`: five digits, growing past 99999.
    static func segment(_ index: Int) -> String {
        let digits = String(index)
        return "segment-\(String(repeating: "0", count: max(0, 5 - digits.count)))\(digits).m4s"
    }

    /// The index that a segment's name says; nil for any other name. Asked with every request, so it makes no strings.
    static func segmentIndex(of name: String) -> Int? {
        let (prefix, suffix) = ("segment-".utf8, ".m4s".utf8)
        let bytes = name.utf8
        guard bytes.starts(with: prefix), bytes.suffix(suffix.count).elementsEqual(suffix) else { return nil }
        let digits = bytes.dropFirst(prefix.count).dropLast(suffix.count)
        guard (5...12).contains(digits.count), digits.count == 5 || digits.first != UInt8(ascii: "0") else {
            return nil
        }
        var index = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            index = index * 10 + Int(digit - UInt8(ascii: "0"))
        }
        return index
    }
}

extension VideoLayout {
    func part(_ place: PlayableRendition.Place, digest: SHA256Digest? = nil) throws(Failure) -> StreamPart {
        try StreamPart(
            of: chunks(of: place.stream), offset: place.offsetBytes, size: place.sizeBytes, digest: digest)
    }

    /// - Throws: ``Failure`` unless the video can be played: deleted is 404; failed or still uploading is 409.
    func requirePlayable() throws(Failure) {
        switch video.status {
        case .active: return
        case .deleted: throw Failure(.notFound, "video \(video.videoId) was deleted")
        case .uploading:
            throw Failure(
                .conflict, "video \(video.videoId) is still being uploaded; it can be played when its status is active")
        case .failed:
            let reason = video.error.map { ": \($0)" } ?? ""
            throw Failure(.conflict, "video \(video.videoId) cannot be played because its upload failed\(reason)")
        }
    }
}

/// A run of a stream's bytes that is served as one asset.
struct StreamPart: Sendable {
    let chunks: [ManifestChunk]
    let range: Range<Int>
    let tag: EntityTag

    /// - Parameter digest: what the bytes are, where that is known without the chunks they lie in.
    /// - Throws: ``Failure`` when the catalog's numbers make no range of these chunks.
    init(of chunks: [ManifestChunk], offset: Int, size: Int, digest: SHA256Digest? = nil) throws(Failure) {
        let (end, overflows) = offset.addingReportingOverflow(size)
        guard offset >= 0, size > 0, !overflows else {
            throw Failure(.corrupt, "the catalog names \(size) bytes at offset \(offset), which is no part of a stream")
        }
        self.chunks = chunks
        range = offset..<end
        tag = digest.map { EntityTag(String($0.hex.prefix(32))) } ?? Self.tag(chunks, range)
    }

    /// Everything that the chunks hold.
    init(wholeOf chunks: [ManifestChunk]) throws(Failure) {
        var size = 0
        for chunk in chunks {
            let (sum, overflows) = size.addingReportingOverflow(chunk.sizeBytes)
            guard chunk.sizeBytes > 0, !overflows else {
                throw Failure(.corrupt, "chunk \(chunk.chunkId) is said to have \(chunk.sizeBytes) bytes")
            }
            size = sum
        }
        try self.init(of: chunks, offset: 0, size: size)
    }

    /// Changes when, and only when, the bytes can: it is made of the checksums of the chunks that hold them.
    private static func tag(_ chunks: [ManifestChunk], _ range: Range<Int>) -> EntityTag {
        var hash = SHA256()
        hash.update(Array("\(range)".utf8))
        var start = 0
        for chunk in chunks where start < range.upperBound {
            let end = start &+ chunk.sizeBytes
            if end > range.lowerBound { chunk.checksum.withUnsafeBytes { hash.update($0) } }
            start = end
        }
        return EntityTag(String(hash.finish().hex.prefix(32)))
    }
}
