import Base
import Catalog
import ChunkPaxos
import Placement
import Testing

@Suite("Catalog conformance: chunks and nodes")
struct ChunkConformanceTests {
    @Test(
        "a chunk is read as it was recorded, and recording it again adds replicas", arguments: CatalogImplementation.all
    )
    func roundTrip(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let id = Fixture.video().id
            try await catalog.createVideo(Fixture.video(id))
            let chunk = try Fixture.chunk(id, 0, replicas: Array(Fixture.nodes.prefix(2)))
            #expect(try await catalog.recordChunk(chunk) == chunk)
            #expect(try await catalog.chunk(chunk.id) == chunk)
            let wider = try Fixture.chunk(id, 0, replicas: Array(Fixture.nodes[1...2]))
            #expect(try await catalog.recordChunk(wider).replicas == Array(Fixture.nodes.prefix(3)))
            #expect(
                try await catalog.statistics() == CatalogStatistics(videos: 1, chunks: 1, replicas: 3))
        }
    }

    @Test("another value, or another chunk at the same place, is refused", arguments: CatalogImplementation.all)
    func conflicts(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let id = Fixture.video().id
            try await catalog.createVideo(Fixture.video(id))
            let chunk = try Fixture.chunk(id, 0)
            _ = try await catalog.recordChunk(chunk)
            let other = try Fixture.chunk(id, 0, byte: 8)
            #expect(await catalogError { try await catalog.recordChunk(other) } == .conflict)
            let rival = Chunk(
                id: try #require(ChunkID("rival")), video: id, stream: .source, sequence: 0, sizeBytes: 1000,
                checksum: chunk.checksum, redundancyMode: .replication, startSec: 0, durationSec: 1, replicas: [])
            #expect(await catalogError { try await catalog.recordChunk(rival) } == .conflict)
            #expect(try await catalog.chunk(chunk.id) == chunk)
            #expect(try await catalog.statistics().chunks == 1)
        }
    }

    @Test("no chunk enters a video that is unknown, failed or deleted", arguments: CatalogImplementation.all)
    func closedVideos(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let (failed, deleted) = (VideoID(), VideoID())
            try await catalog.createVideo(Fixture.video(failed))
            try await catalog.setStatus(of: failed, to: .failed, error: "x")
            try await catalog.createVideo(Fixture.video(deleted))
            try await catalog.deleteVideo(deleted)
            for (id, code) in [(failed, CatalogError.Code.conflict), (deleted, .notFound), (VideoID(), .notFound)] {
                let chunk = try Fixture.chunk(id, 0)
                #expect(await catalogError { try await catalog.recordChunk(chunk) } == code)
            }
        }
    }

    @Test("one operation's error undoes only its own work in a shared commit", arguments: CatalogImplementation.all)
    func savepoints(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let id = Fixture.video().id
            try await catalog.createVideo(Fixture.video(id))
            let stranger = try #require(NodeID("stranger"))
            let failures = await withTaskGroup(of: Bool.self) { group in
                for sequence in 0..<400 {
                    group.addTask {
                        // Every fourth names an unknown node, after two known ones: its rows have to go again.
                        let replicas = Array(Fixture.nodes.prefix(2)) + (sequence % 4 == 3 ? [stranger] : [])
                        let code = await catalogError {
                            try await catalog.recordChunk(try Fixture.chunk(id, sequence, replicas: replicas))
                        }
                        return code == .notFound
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(failures == 100)
            let chunks = try #require(try await catalog.contents(of: id, stream: .source)).chunks
            #expect(chunks.map(\.sequence) == (0..<400).filter { $0 % 4 != 3 })
            #expect(chunks.allSatisfy { $0.replicas == Array(Fixture.nodes.prefix(2)) })
            #expect(
                try await catalog.statistics() == CatalogStatistics(videos: 1, chunks: 300, replicas: 600))
        }
    }

    @Test("the contents of a long video come whole and in order", arguments: CatalogImplementation.all)
    func longVideo(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let (id, other) = (VideoID(), VideoID())
            for video in [id, other] { try await catalog.createVideo(Fixture.video(video)) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for sequence in 0..<3000 {
                    group.addTask { _ = try await catalog.recordChunk(try Fixture.chunk(id, sequence)) }
                }
                group.addTask { _ = try await catalog.recordChunk(try Fixture.chunk(other, 0)) }
                group.addTask { _ = try await catalog.recordChunk(try Fixture.chunk(id, 0, stream: .thumbnail)) }
                try await group.waitForAll()
            }
            let contents = try #require(try await catalog.contents(of: id, stream: .source))
            #expect(contents.chunks.map(\.sequence) == Array(0..<3000))
            #expect(contents.chunks.last == (try Fixture.chunk(id, 2999)))
            #expect(contents.chunks.allSatisfy { $0.replicas == Fixture.group.members })
            #expect(contents.video.totalChunks == 3000)
            #expect(try await catalog.contents(of: id, stream: nil)?.chunks.count == 3001)
            #expect(try await catalog.contents(of: VideoID(), stream: nil) == nil)
        }
    }

    @Test("nodes register, move, and report; a stranger's heartbeat is refused", arguments: CatalogImplementation.all)
    func nodes(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let id = Fixture.nodes[0]
            try await catalog.registerNode(Fixture.node(id, url: "http://elsewhere:9000"))
            let corrupt = try [#require(ChunkID("bad-1")), #require(ChunkID("bad-2"))]
            let space = Placement.Space(capacityBytes: 4 << 40, storedBytes: 3 << 30)
            let report = NodeReport(
                diskUsagePercent: 45.2, chunkCount: 1250, corruptChunks: corrupt, space: space)
            let later = Fixture.epoch.adding(seconds: 30)
            try await catalog.recordHeartbeat(of: id, report, at: later)
            let nodes = try await catalog.nodes()
            #expect(nodes.map(\.id) == Fixture.nodes)
            #expect(
                nodes[0]
                    == Node(
                        id: id, url: "http://elsewhere:9000", version: "1.0.0", lastHeartbeat: later, report: report))
            let moved = Node(
                id: id, url: "http://third:1", version: "2", zone: "rack-7", lastHeartbeat: later, report: NodeReport())
            try await catalog.registerNode(moved)
            #expect(try await catalog.nodes()[0] == moved)
            try await catalog.recordHeartbeat(of: id, report, at: later)
            #expect(try await catalog.nodes()[0].zone == "rack-7")
            #expect(try await catalog.nodes()[0].report.space == space)
            let stranger = try #require(NodeID("stranger"))
            #expect(
                await catalogError { try await catalog.recordHeartbeat(of: stranger, report, at: later) } == .notFound)
        }
    }
}
