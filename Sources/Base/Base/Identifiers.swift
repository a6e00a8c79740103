import Foundation

/// The identity of a video: a UUID, whichever door it came in by.
///
/// Parses both forms the APIs use, `550e8400-e29b-41d4-a716-446655440000` and the same 32 hex digits without
/// hyphens (the video backend's `hash`), in either case; prints the hyphenated lower-case form.
package struct VideoID: Hashable, Sendable, CustomStringConvertible {
    /// The UUID's 16 bytes in two big-endian words.
    private let high: UInt64
    private let low: UInt64

    package init() { (high, low) = withUnsafeBytes(of: UUID().uuid) { Self.words(of: $0) } }

    package init?(_ text: some StringProtocol) {
        var text = String(text)
        guard let id = text.withUTF8({ VideoID(utf8: $0) }) else { return nil }
        self = id
    }

    package init?(utf8 text: UnsafeBufferPointer<UInt8>) {
        let isHyphenated = text.count == Self.hyphenatedCount
        guard isHyphenated || text.count == Self.digitCount else { return nil }
        var words: (high: UInt64, low: UInt64) = (0, 0)
        var digitCount = 0
        for (index, byte) in text.enumerated() {
            if isHyphenated, Self.isHyphenPlace(index) {
                guard byte == Self.hyphen else { return nil }
                continue
            }
            guard let digit = Hex.value(of: byte) else { return nil }
            if digitCount < 16 {
                words.high = words.high << 4 | UInt64(digit)
            } else {
                words.low = words.low << 4 | UInt64(digit)
            }
            digitCount += 1
        }
        (high, low) = words
    }

    package var description: String {
        withDigits { digits in
            String(unsafeUninitializedCapacity: Self.hyphenatedCount) { output in
                var next = 0
                for digit in digits {
                    if Self.isHyphenPlace(next) {
                        output[next] = Self.hyphen
                        next += 1
                    }
                    output[next] = digit
                    next += 1
                }
                return next
            }
        }
    }

    /// 32 lower-case hex digits, the form the video backend calls `hash` and `upload_id`.
    package var compact: String { withDigits { String(decoding: $0, as: UTF8.self) } }

    private static let digitCount = 32
    private static let hyphenatedCount = 36
    private static let hyphen = UInt8(ascii: "-")

    private static func isHyphenPlace(_ index: Int) -> Bool { index == 8 || index == 13 || index == 18 || index == 23 }

    private static func words(of bytes: UnsafeRawBufferPointer) -> (UInt64, UInt64) {
        func word(_ offset: Int) -> UInt64 {
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        return (word(0), word(8))
    }

    private func withDigits<R>(_ body: (UnsafeMutableBufferPointer<UInt8>) -> R) -> R {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.digitCount) { digits in
            Swift.withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { Hex.write($0, to: digits) }
            return body(digits)
        }
    }
}

extension VideoID: TextCodable {
    package static var textForm: String { "a video id (a UUID)" }
}

/// The name of a chunk: 1 to 64 of `a–z A–Z 0–9 _ -`.
package struct ChunkID: Hashable, Sendable, CustomStringConvertible {
    package static let lengthMax = 64

    package let description: String

    package init?(_ text: some StringProtocol) {
        var text = String(text)
        let isName = text.withUTF8 { (1...Self.lengthMax).contains($0.count) && $0.allSatisfy(Self.isAllowed) }
        guard isName else { return nil }
        description = text
    }

    /// Chunk `sequence` of one of a video's byte streams, `<video>-<stream>-000`: three digits and growing past 999.
    package init(video: VideoID, stream: ChunkStream, sequence: Int) {
        let digits = String(sequence)
        let padding = String(repeating: "0", count: max(0, 3 - digits.count))
        description = "\(video)-\(stream.chunkLabel)-\(padding)\(digits)"
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}

extension ChunkID: TextCodable {
    package static var textForm: String { "a chunk id" }
}

/// One of a video's byte streams: a run of chunks that, concatenated in sequence order, are one file.
package struct ChunkStream: Hashable, Sendable, TextCodable {
    package static let textForm = "a stream name"

    /// The rendition that the manifest lists: fragmented MP4 of the source's own streams.
    package static let source = ChunkStream(unchecked: "source")
    /// The uploaded file, bit for bit.
    package static let original = ChunkStream(unchecked: "original")
    /// A JPEG picture of the video.
    package static let thumbnail = ChunkStream(unchecked: "thumbnail")

    /// The journal's records of what the catalog alone knows of the video.
    package static let catalog = ChunkStream(unchecked: "catalog")
    /// The journal's records of what was published.
    package static let publication = ChunkStream(unchecked: "publication")

    /// Whether it is the metadata service's own, and no file.
    package var isJournal: Bool { self == .catalog || self == .publication }

    /// Whether an attempt at a part of a rendition is in it, and not something of the video as a whole.
    package var isAttempt: Bool { description.utf8.contains(Self.dot) }

    /// 1 to 20 of `a–z 0–9 .`, so that a chunk id of any stream stays within ``ChunkID/lengthMax``.
    package let description: String

    package init?(_ text: String) {
        guard (1...20).contains(text.utf8.count), text.utf8.first != Self.dot,
            text.utf8.allSatisfy({ (97...122).contains($0) || (48...57).contains($0) || $0 == Self.dot })
        else { return nil }
        description = text
    }

    private static let dot = UInt8(ascii: ".")

    private init(unchecked text: String) { description = text }

    /// The middle part of the stream's chunk ids; the manifest's own are `<video_id>-chunk-000`.
    /// A chunk id has no dots.
    fileprivate var chunkLabel: String { self == .source ? "chunk" : description.replacing(".", with: "-") }
}

/// The name a storage node registers under, such as `storage-node-1`: 1 to 128 printable ASCII characters, no spaces.
package struct NodeID: Hashable, Sendable, Comparable, TextCodable {
    package static let textForm = "a node id"

    package let description: String

    package init?(_ text: String) {
        guard (1...128).contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            return nil
        }
        description = text
    }

    package static func < (a: NodeID, b: NodeID) -> Bool { a.description < b.description }
}
