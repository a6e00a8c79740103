import Base
import Testing

@Suite("Identifiers")
struct IdentifierTests {
    @Test("a video id is read in both forms and either case, and printed in one")
    func videoIDs() throws {
        let id = try #require(VideoID("550E8400-e29b-41d4-a716-446655440000"))
        #expect(id.description == "550e8400-e29b-41d4-a716-446655440000")
        #expect(id.compact == "550e8400e29b41d4a716446655440000")
        #expect(VideoID(id.compact) == id)
    }

    @Test(
        "what is no UUID is no video id",
        arguments: ["", "550e8400", "550e8400e29b41d4a71644665544000g", "550e8400e29b-41d4-a716-446655440000", "é"])
    func notVideoIDs(_ text: String) { #expect(VideoID(text) == nil) }

    @Test(
        "a chunk id is 1 to 64 of letters, digits, '_' and '-'",
        arguments: [
            ("a", true), (String(repeating: "x", count: 64), true), ("A-z_9", true), ("", false),
            (String(repeating: "x", count: 65), false), ("../etc", false), ("a b", false), ("ü", false),
            ("a\u{0}", false),
        ])
    func chunkIDs(_ text: String, _ isValid: Bool) { #expect((ChunkID(text) != nil) == isValid) }

    @Test("a chunk's number has three digits and grows past 999, in every stream")
    func chunkNumbers() throws {
        let video = try #require(VideoID("550e8400-e29b-41d4-a716-446655440000"))
        #expect(ChunkID(video: video, stream: .source, sequence: 7).description == "\(video)-chunk-007")
        #expect(ChunkID(video: video, stream: .source, sequence: 1000).description == "\(video)-chunk-1000")
        let attempt = try #require(ChunkStream("1080p.0003.2"))
        #expect(ChunkID(video: video, stream: attempt, sequence: 1).description == "\(video)-1080p-0003-2-001")
        #expect(attempt.isAttempt && !ChunkStream.source.isAttempt)
        let longest = try #require(ChunkStream("abcdefghij.klmnopqrs"))
        let id = ChunkID(video: video, stream: longest, sequence: 999_999)
        #expect(ChunkID(id.description) == id)
        for text in ["", ".a", "a-b", "A", "abcdefghij.klmnopqrst"] { #expect(ChunkStream(text) == nil, "\(text)") }
    }

    @Test("a checksum is read with and without its tag and quotes")
    func checksums() throws {
        let hex = String(repeating: "0123456789abcdef", count: 4)
        for text in [hex, "sha256:\(hex)", "\"\(hex)\"", hex.uppercased()] {
            #expect(try #require(SHA256Digest(text)).hex == hex)
        }
        #expect(SHA256Digest(String(hex.dropLast())) == nil)
        #expect(SHA256Digest("sha1:" + hex) == nil)
        #expect(SHA256Digest("\"") == nil)
    }
}

@Suite("JSON")
struct JSONTests {
    private struct Sample: Codable, Equatable {
        let videoId: VideoID
        let sizeBytes: Int
    }

    @Test("keys are snake_case and sorted, and come back as they were")
    func roundTrip() throws {
        let sample = Sample(videoId: VideoID(), sizeBytes: 5)
        let bytes = try JSON.encode(sample)
        #expect(String(decoding: bytes, as: UTF8.self) == #"{"size_bytes":5,"video_id":"\#(sample.videoId)"}"#)
        #expect(try JSON.decode(Sample.self, from: bytes) == sample)
    }

    @Test(
        "an error names the field as the sender wrote it",
        arguments: [
            ("{", "the body is not valid JSON"), ("{}", "is missing"),
            (#"{"video_id":"x","size_bytes":1}"#, "'x' is not a video id"),
            (#"{"video_id":"550e8400e29b41d4a716446655440000","size_bytes":"1"}"#, "'size_bytes' must be a number"),
        ])
    func errors(_ text: String, _ expected: String) {
        #expect {
            _ = try JSON.decode(Sample.self, from: Array(text.utf8))
        } throws: { error in
            (error as? Failure)?.message.contains(expected) == true
        }
    }
    @Test("a word that an enumeration does not have is named, and no Swift type")
    func enumeration() {
        enum Colour: String, Decodable { case red }
        struct Paint: Decodable { let colour: Colour }
        let failure = #expect(throws: Failure.self) {
            try JSON.decode(Paint.self, from: Array(#"{"colour":"mauve"}"#.utf8))
        }
        #expect(failure?.message == "'colour' is 'mauve', which is none of its values")
    }
}
