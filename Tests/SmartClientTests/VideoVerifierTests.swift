import Base
import MetadataAPI
import SmartClient
import Testing

@Suite struct VideoVerifierTests {
    private let nodes = FakeNodes()
    private let id = VideoID()

    private func catalog() -> FakeCatalog {
        let source = makeStream(id, sizes: [100, 50], on: nodes).chunks
        let original = makeStream(id, stream: .original, sizes: [30], on: nodes).chunks
        let streams = [
            StreamMessage(stream: .source, chunks: source), StreamMessage(stream: .original, chunks: original),
        ]
        let layout = VideoLayout(video: makeSummary(id), original: nil, renditions: [], streams: streams)
        return FakeCatalog(list: [makeSummary(id)], layouts: [id: layout])
    }

    @Test("every copy of every chunk of every stream is read")
    func intact() async throws {
        var steps: [Int] = []
        let report = try await VideoVerifier(catalog: catalog(), transport: nodes).verifyAll { steps.append($0.chunks) }
        #expect(report.verdict == .intact)
        #expect(report.videos.map(\.chunkCount) == [3])
        #expect(report.videos[0].findings.isEmpty)
        #expect(report.videos[0].intactBytes == 3 * 180)
        #expect(nodes.asked.count == 9)
        #expect(steps == [1, 2, 3])
    }

    @Test("a copy that is missing, unreachable or corrupt makes a video under-replicated, and is named")
    func underReplicated() async throws {
        nodes.set("http://b", .refuses)
        nodes.set("http://c", .givesOtherBytes)
        let report = try await VideoVerifier(catalog: catalog(), transport: nodes).verifyAll()
        #expect(report.verdict == .underReplicated)
        let finding = try #require(report.videos[0].findings.first)
        #expect(report.videos[0].findings.count == 3)
        #expect(finding.intactCopies == 1)
        #expect(finding.copies.map(\.state).first == .intact)
        #expect(finding.copies[1].state == .unreachable("refused"))
        #expect(finding.corruptCopies.map(\.replica) == ["http://c"])
    }

    @Test("a node's own word that a chunk is damaged counts as corrupt, and 404 as missing")
    func states() async throws {
        nodes.set("http://b", .answers(500))
        nodes.set("http://c", .answers(404))
        let report = try await VideoVerifier(catalog: catalog(), transport: nodes).verifyAll()
        let copies = try #require(report.videos[0].findings.first).copies
        #expect(copies.map(\.state) == [.intact, .corrupt("status 500"), .missing])
    }

    @Test("a chunk with fewer copies than wanted is under-replicated though all are intact")
    func fewerCopies() async throws {
        let report = try await VideoVerifier(catalog: catalog(), transport: nodes, copiesWanted: 4).verifyAll()
        #expect(report.verdict == .underReplicated)
    }

    @Test("a chunk without one intact copy is lost")
    func lost() async throws {
        for node in threeNodes { nodes.set(node, .answers(404)) }
        let report = try await VideoVerifier(catalog: catalog(), transport: nodes).verifyAll()
        #expect(report.verdict == .lost)
    }

    @Test("a video whose layout cannot be had is reported, and those that are not active are skipped")
    func problems() async throws {
        var catalog = catalog()
        let other = VideoID()
        catalog.list += [makeSummary(other), makeSummary(VideoID(), status: .uploading)]
        let report = try await VideoVerifier(catalog: catalog, transport: nodes).verifyAll()
        #expect(report.videos.count == 2)
        #expect(report.videos[0].verdict == .intact)
        #expect(report.videos[1].problem == "no video \(other)")
        #expect(report.videos[1].verdict == .lost)
        #expect(report.skipped.map(\.status) == [.uploading])
    }

    @Test("no more chunks are read at once than allowed")
    func bounded() async throws {
        let chunks = makeStream(id, sizes: Array(repeating: 10, count: 40), on: nodes).chunks
        let layout = VideoLayout(
            video: makeSummary(id), original: nil, renditions: [],
            streams: [StreamMessage(stream: .source, chunks: chunks)])
        let catalog = FakeCatalog(list: [makeSummary(id)], layouts: [id: layout])
        _ = try await VideoVerifier(catalog: catalog, transport: nodes, concurrency: 2).verifyAll()
        #expect(nodes.asked.count == 120)
        #expect(nodes.underWayMax <= 2)
    }
}
