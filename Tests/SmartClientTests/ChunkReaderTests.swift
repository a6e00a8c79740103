import Base
import ChunkPaxos
import HTTPTypes
import MetadataAPI
import SmartClient
import Testing

@Suite struct ChunkReaderTests {
    private let nodes = FakeNodes()

    private func collect(_ source: ByteSource) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let piece = try await source.next() { bytes += piece }
        return bytes
    }

    @Test("a plan names the chunks of a range and the part of each")
    func plan() throws {
        let (chunks, _) = makeStream(sizes: [10, 20, 30], on: nodes)
        let parts: (Range<Int>) throws -> [String] = { range in
            try ByteRangePlan(chunks: chunks, range: range).pieces.map { "\($0.chunk.sequenceNum):\($0.part)" }
        }
        #expect(try parts(0..<60) == ["0:0..<10", "1:0..<20", "2:0..<30"])
        #expect(try parts(0..<10) == ["0:0..<10"])
        #expect(try parts(10..<11) == ["1:0..<1"])
        #expect(try parts(9..<31) == ["0:9..<10", "1:0..<20", "2:0..<1"])
        #expect(try parts(59..<60) == ["2:29..<30"])
        #expect(try parts(5..<5) == [])
        #expect(throws: Failure.self) { try parts(0..<61) }
        #expect(throws: Failure.self) { try parts(-1..<5) }
        #expect(throws: Failure.self) { try ByteRangePlan(chunks: [], range: 0..<1) }
    }

    @Test("chunks whose sizes make no sense are refused")
    func absurdSizes() throws {
        let (chunks, _) = makeStream(sizes: [10], on: nodes)
        for size in [0, -5, Int.max] {
            let chunk = ManifestChunk(
                chunkId: chunks[0].chunkId, sequenceNum: 0, sizeBytes: size, checksum: chunks[0].checksum,
                redundancyMode: .replication, replicas: [], startSec: 0, durationSec: 0)
            #expect(throws: Failure.self) { try ByteRangePlan(chunks: [chunks[0], chunk], range: 0..<20) }
        }
    }

    @Test("every range of a stream gives exactly its bytes")
    func ranges() async throws {
        let (chunks, bytes) = makeStream(sizes: [7, 1, 5, 3], on: nodes)
        let reader = ChunkReader(ChunkFetcher.patient(nodes))
        for lower in 0...16 {
            for upper in lower...16 {
                let source = try reader.source(chunks: chunks, range: lower..<upper)
                #expect(try await collect(source) == Array(bytes[lower..<upper]))
            }
        }
        #expect(try await reader.bytes(chunks: chunks, range: 3..<14) == Array(bytes[3..<14]))
    }

    @Test("no more chunks are fetched ahead than allowed, and none before the first is asked for")
    func bounded() async throws {
        let (chunks, bytes) = makeStream(sizes: Array(repeating: 100, count: 20), on: nodes)
        let reader = ChunkReader(ChunkFetcher.patient(nodes))
        let source = try reader.source(chunks: chunks, range: 0..<2000, readAhead: 3)
        #expect(nodes.asked.isEmpty)
        let first = try await source.next()
        #expect(first == Array(bytes[..<100]))
        #expect(nodes.asked.count <= 3)
        #expect(try await collect(source) == Array(bytes[100...]))
        #expect(nodes.asked.count == 20)
        #expect(nodes.underWayMax <= 3)
    }

    @Test("a chunk that cannot be read ends the stream with its error")
    func broken() async throws {
        let (chunks, bytes) = makeStream(sizes: [10, 10, 10], on: nodes)
        let lost = makeStream(sizes: [10], on: FakeNodes()).chunks[0]
        let source = try ChunkReader(ChunkFetcher.patient(nodes)).source(
            chunks: [chunks[0], lost, chunks[2]], range: 0..<30)
        #expect(try await source.next() == Array(bytes[..<10]))
        await #expect(throws: ChunkUnavailable.self) { try await source.next() }
        #expect(try await source.next() == nil)
    }

    @Test("letting go of a source ends what it had under way")
    func dropped() async throws {
        let (chunks, _) = makeStream(sizes: [10, 10, 10], on: nodes, replicas: ["http://a"])
        let hanging = makeStream(sizes: [10, 10], on: nodes, replicas: ["http://b"]).chunks
        nodes.set("http://b", .hangs)
        do {
            let source = try ChunkReader(ChunkFetcher.patient(nodes)).source(
                chunks: [chunks[0]] + hanging, range: 0..<30)
            _ = try await source.next()
            while nodes.underWay < 2 { await Task.yield() }
        }
        while nodes.underWay > 0 { await Task.yield() }
        #expect(nodes.underWay == 0)
    }
}
