import Base
import HTTPClient
import MetadataAPI
import SmartClient
import Testing

@Suite struct ChunkFetcherTests {
    private let nodes = FakeNodes()

    @Test(
        "a replica that fails in any way is followed by the next",
        arguments: [
            FakeNodes.Manner.refuses, .answers(404), .answers(500), .answers(503), .givesOtherBytes, .givesTooFew,
        ])
    func failover(manner: FakeNodes.Manner) async throws {
        let (chunks, bytes) = makeStream(sizes: [1000], on: nodes)
        nodes.set("http://a", manner)
        nodes.set("http://b", manner)
        let fetcher = ChunkFetcher.patient(nodes)
        #expect(try await fetcher.fetch(chunks[0]) == bytes)
        #expect(nodes.asked == threeNodes)
    }

    @Test("a replica that hangs is overtaken by the next, and tried last from then on")
    func hedge() async throws {
        let (chunks, bytes) = makeStream(sizes: [1000], on: nodes)
        nodes.set("http://a", .hangs)
        let fetcher = ChunkFetcher(transport: nodes, hedgeDelay: .milliseconds(20))
        #expect(try await fetcher.fetch(chunks[0]) == bytes)
        #expect(nodes.asked.prefix(2) == ["http://a", "http://b"])
        #expect(nodes.underWay == 0)
        let askedBefore = nodes.asked.count
        #expect(try await fetcher.fetch(chunks[0]) == bytes)
        #expect(nodes.asked[askedBefore] != "http://a")
    }

    @Test("a dead node is not asked again while others serve")
    func deadNode() async throws {
        let (chunks, _) = makeStream(sizes: [100, 100, 100, 100], on: nodes)
        nodes.set("http://a", .refuses)
        let fetcher = ChunkFetcher.patient(nodes)
        for chunk in chunks { _ = try await fetcher.fetch(chunk) }
        #expect(nodes.asked.count { $0 == "http://a" } == 1)
    }

    @Test("a node that lacks one chunk is still asked first for the others")
    func oneBadChunk() async throws {
        let (chunks, _) = makeStream(sizes: [100, 100], on: nodes)
        nodes.set("http://a", .answers(500))
        let fetcher = ChunkFetcher.patient(nodes)
        _ = try await fetcher.fetch(chunks[0])
        _ = try await fetcher.fetch(chunks[1])
        #expect(nodes.asked.count { $0 == "http://a" } == 2)
    }

    @Test("when all fail the error names the chunk, and each node with its reason")
    func allFail() async throws {
        let (chunks, _) = makeStream(sizes: [100], on: nodes)
        nodes.set("http://a", .refuses)
        nodes.set("http://b", .givesOtherBytes)
        nodes.set("http://c", .answers(404))
        let fetcher = ChunkFetcher.patient(nodes)
        let error = await #expect(throws: ChunkUnavailable.self) { try await fetcher.fetch(chunks[0]) }
        #expect(error?.category == .unavailable)
        #expect(
            error?.message
                == "chunk \(chunks[0].chunkId) could not be read from any of its 3 nodes (http://a: refused; "
                + "http://b: gave bytes that do not match the chunk's checksum; http://c: status 404)")
    }

    @Test("a chunk that nobody holds says so")
    func noReplica() async throws {
        let (chunks, _) = makeStream(sizes: [100], on: nodes, replicas: [])
        let error = await #expect(throws: ChunkUnavailable.self) {
            try await ChunkFetcher.patient(nodes).fetch(chunks[0])
        }
        #expect(error?.message == "chunk \(chunks[0].chunkId) is held by no node")
    }

    @Test("cancelling ends the reads that are under way")
    func cancelled() async throws {
        let (chunks, _) = makeStream(sizes: [100], on: nodes)
        for node in threeNodes { nodes.set(node, .hangs) }
        let fetcher = ChunkFetcher(transport: nodes, hedgeDelay: .milliseconds(1))
        let task = Task { try await fetcher.fetch(chunks[0]) }
        while nodes.underWay < 3 { await Task.yield() }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(nodes.underWay == 0)
    }
}
