import Base
import Testing

@testable import ChunkPaxos

@Suite("The value's canonical JSON")
struct ChunkValueJSONTests {
    // Of these types the compiler knows only what the general coders need.
    private func general<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8]) throws -> Value {
        try JSON.decode(type, from: bytes)
    }

    private func general(encoding value: some Encodable) throws -> [UInt8] { try JSON.encode(value) }

    private func value(
        group: String = "g-1", nodes: [String] = ["a", "b", "c"], hasAcceptors: Bool = true, start: Double = 4.25
    ) throws -> ChunkValue {
        let ids = try nodes.map { try #require(NodeID($0)) }
        return ChunkValue(
            videoId: VideoID(), stream: try #require(ChunkStream("1080p.0003.2")), sequence: 7, sizeBytes: 1 << 20,
            checksum: try #require(SHA256Digest(String(repeating: "0123456789abcdef", count: 4))), group: group,
            nodes: ids,
            acceptors: hasAcceptors ? ids.indices.map { AcceptorID(high: 0x0102, low: UInt64($0)) } : nil,
            startSec: start, durationSec: 2)
    }

    @Test("its bytes are those of the general encoder, and are read directly")
    func roundTrip() throws {
        for value in [
            try value(), try value(hasAcceptors: false), try value(nodes: []), try value(start: 0),
            try value(start: 1234.567891),
        ] {
            let bytes = try value.encoded()
            #expect(try bytes == general(encoding: value))
            #expect(JSONReader.value(ChunkValue.self, in: bytes) == value)
            #expect(try general(ChunkValue.self, bytes) == value)
        }
    }

    @Test("names that need escapes have one form too")
    func escapes() throws {
        for value in [try value(group: "ü \"\\/\n\u{1}"), try value(nodes: [#"a"b\c/d"#])] {
            let bytes = try value.encoded()
            #expect(try bytes == general(encoding: value))
            #expect(JSONReader.value(ChunkValue.self, in: bytes) == nil)
            #expect(try ChunkValue(encoded: bytes) == value)
        }
    }

    @Test("whatever chance makes of its bytes, both readers agree where the direct one reads at all")
    func mutations() throws {
        let canonical = try value(start: 12.5).encoded()
        var bits: UInt64 = 42
        func random(below bound: Int) -> Int {
            bits = bits &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((bits >> 33) % UInt64(bound))
        }
        // Mostly what means something in JSON.
        let meaningful = Array(#"0123456789.,:"{}[]eE-+ \"#.utf8)
        var readCount = 0
        for _ in 0..<3000 {
            var bytes = canonical
            for _ in 0...random(below: 2) {
                let byte =
                    random(below: 3) == 0 ? UInt8(random(below: 256)) : meaningful[random(below: meaningful.count)]
                switch random(below: 3) {
                case 0: bytes[random(below: bytes.count)] = byte
                case 1: bytes.insert(byte, at: random(below: bytes.count + 1))
                default: bytes.remove(at: random(below: bytes.count))
                }
            }
            guard let direct = JSONReader.value(ChunkValue.self, in: bytes) else { continue }
            readCount += 1
            #expect(try general(ChunkValue.self, bytes) == direct, "\(String(decoding: bytes, as: UTF8.self))")
        }
        #expect((100..<3000).contains(readCount))
    }

    @Test("a field that comes twice, is unknown or is missing is not read directly")
    func fields() throws {
        let text = String(decoding: try value().encoded(), as: UTF8.self)
        for changed in [
            text.replacing(#""sequence":7"#, with: #""sequence":7,"sequence":7"#),
            text.replacing(#""sequence":7"#, with: #""sequence":7,"more":1"#),
            text.replacing(#""sequence":7,"#, with: ""), text.replacing(#""sequence""#, with: #""Sequence""#),
            text.replacing(#""video_id""#, with: #""videoId""#),
        ] {
            #expect(changed != text && JSONReader.value(ChunkValue.self, in: Array(changed.utf8)) == nil)
        }
    }
}
