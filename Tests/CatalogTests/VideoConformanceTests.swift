import Base
import Catalog
import ChunkPaxos
import Placement
import Testing

@Suite("Catalog conformance: videos")
struct VideoConformanceTests {
    @Test("a video is read as it was entered", arguments: CatalogImplementation.all)
    func roundTrip(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let new = Fixture.video(title: "Größe <script>\u{0}'; DROP TABLE videos --")
            try await catalog.createVideo(new)
            let video = try #require(try await catalog.video(new.id))
            #expect(video.title == new.title)
            #expect(video.filename == "film.mp4")
            #expect(video.creator == UInt64.max - 1)
            #expect(video.createdAt == new.createdAt)
            #expect(video.status == .uploading)
            #expect(video.totalChunks == 0)
            #expect(!video.hasThumbnail)
            #expect(try await catalog.placementGroup(video.group) == Fixture.group)
            #expect(try await catalog.video(VideoID()) == nil)
            #expect(await catalogError { try await catalog.createVideo(new) } == .conflict)
        }
    }

    @Test(
        "a group with an unregistered node is refused, and nothing of the video stays",
        arguments: CatalogImplementation.all)
    func unknownMember(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let stranger = try #require(NodeID("stranger"))
            let group = PlacementGroup(members: Fixture.nodes.prefix(2) + [stranger])
            let template = Fixture.video()
            let new = NewVideo(
                id: template.id, title: "t", filename: nil, durationSec: 0, group: group, creator: 1,
                createdAt: template.createdAt)
            #expect(await catalogError { try await catalog.createVideo(new) } == .notFound)
            #expect(try await catalog.video(new.id) == nil)
            #expect(try await catalog.placementGroup(group.id) == nil)
        }
    }

    @Test("the list is newest first, in pages, without deleted videos", arguments: CatalogImplementation.all)
    func list(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let videos = (0..<10).map { Fixture.video(title: "\($0)", after: Double($0 / 2)) }
            for video in videos { try await catalog.createVideo(video) }
            try await catalog.deleteVideo(videos[3].id)
            let expected = ["9", "8", "7", "6", "5", "4", "2", "1", "0"]
            #expect(try await catalog.videos(limit: 100, offset: 0).map(\.title) == expected)
            #expect(try await catalog.videos(limit: 4, offset: 4).map(\.title) == Array(expected[4..<8]))
            #expect(try await catalog.videos(limit: 4, offset: 100).isEmpty)
        }
    }

    @Test(
        "an upload of which nothing was heard for long fails; a chunk or a status is a sign of life",
        arguments: CatalogImplementation.all)
    func silentUploads(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            func time(_ seconds: Double) -> Timestamp { Fixture.epoch.adding(seconds: seconds) }
            var ids: [String: VideoID] = [:]
            for (name, entered) in ["silent": 0.0, "chunk": 0, "status": 0, "new": 50, "done": 0, "deleted": 0] {
                let video = Fixture.video(title: name, after: entered)
                try await catalog.createVideo(video)
                ids[name] = video.id
            }
            let id = { (name: String) in try #require(ids[name]) }
            _ = try await catalog.recordChunk(try Fixture.chunk(id("chunk"), 0), at: time(60))
            // An older sign that comes later takes nothing back.
            _ = try await catalog.recordChunk(try Fixture.chunk(id("chunk"), 1), at: time(10))
            try await catalog.setStatus(of: id("status"), to: .uploading, error: nil, at: time(60))
            try await catalog.setStatus(of: id("done"), to: .active, error: nil, at: time(1))
            try await catalog.deleteVideo(id("deleted"))

            #expect(try await catalog.failUploads(silentSince: time(0), error: "lost") == [])
            #expect(try await catalog.failUploads(silentSince: time(50), error: "lost") == [id("silent")])
            let silent = try #require(try await catalog.video(id("silent")))
            #expect(silent.status == .failed && silent.error == "lost")
            for name in ["chunk", "status", "new"] {
                #expect(try await catalog.video(id(name))?.status == .uploading)
            }
            #expect(try await catalog.video(id("done"))?.status == .active)
            #expect(Set(try await catalog.failUploads(silentSince: time(61), error: "lost")).count == 3)
        }
    }

    @Test("status moves only where it may", arguments: CatalogImplementation.all)
    func status(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let id = Fixture.video().id
            try await catalog.createVideo(Fixture.video(id))
            try await catalog.setStatus(of: id, to: .active, error: "not an error")
            #expect(try await catalog.video(id)?.error == nil)
            #expect(await catalogError { try await catalog.setStatus(of: id, to: .uploading, error: nil) } == .conflict)
            try await catalog.setStatus(of: id, to: .failed, error: "the disk broke")
            #expect(try await catalog.video(id)?.status == .failed)
            #expect(try await catalog.video(id)?.error == "the disk broke")
            #expect(await catalogError { try await catalog.setStatus(of: id, to: .active, error: nil) } == .conflict)
            #expect(
                await catalogError { try await catalog.setStatus(of: VideoID(), to: .failed, error: nil) } == .notFound)
        }
    }

    @Test("views are counted, each once, however many come at a time", arguments: CatalogImplementation.all)
    func views(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let id = Fixture.video().id
            try await catalog.createVideo(Fixture.video(id))
            let counts = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<500 { group.addTask { try await catalog.addView(of: id) } }
                return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
            }
            #expect(counts == Set(1...500))
            #expect(try await catalog.video(id)?.viewCount == 500)
            #expect(await catalogError { try await catalog.addView(of: VideoID()) } == .notFound)
        }
    }

    @Test("publishing makes a complete video active and is read back bit for bit", arguments: CatalogImplementation.all)
    func publish(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let id = Fixture.video().id
            try await catalog.createVideo(Fixture.video(id))
            for sequence in 0..<3 { _ = try await catalog.recordChunk(try Fixture.chunk(id, sequence)) }
            _ = try await catalog.recordChunk(try Fixture.chunk(id, 0, stream: .original, sizeBytes: 2500))
            _ = try await catalog.recordChunk(try Fixture.chunk(id, 0, stream: .thumbnail, sizeBytes: 20))
            let publication = try Fixture.publication(sourceBytes: 3000, originalBytes: 2500)
            try await catalog.publish(id, publication)
            try await catalog.publish(id, publication)
            let contents = try #require(try await catalog.contents(of: id, stream: nil))
            #expect(contents.video.status == .active)
            #expect(contents.video.durationSec == 59.98)
            #expect(contents.video.totalChunks == 3)
            #expect(contents.video.sizeBytes == 2500)
            #expect(contents.video.hasThumbnail)
            #expect(contents.original == publication.original)
            #expect(contents.renditions == publication.renditions)
            #expect(contents.chunks.map(\.stream) == [.original, .source, .source, .source, .thumbnail])
        }
    }

    @Test("publishing is refused, and changes nothing, while chunks are missing", arguments: CatalogImplementation.all)
    func publishIncomplete(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let id = Fixture.video().id
            let publication = try Fixture.publication(sourceBytes: 3000, originalBytes: 2500)
            func refused() async throws -> Bool {
                let code = await catalogError { try await catalog.publish(id, publication) }
                let video = try await catalog.video(id)
                return code == .conflict && video?.status == .uploading
            }
            try await catalog.createVideo(Fixture.video(id))
            #expect(try await refused(), "nothing committed")
            _ = try await catalog.recordChunk(try Fixture.chunk(id, 0, stream: .original, sizeBytes: 2500))
            _ = try await catalog.recordChunk(try Fixture.chunk(id, 0))
            _ = try await catalog.recordChunk(try Fixture.chunk(id, 2))
            #expect(try await refused(), "a gap")
            _ = try await catalog.recordChunk(try Fixture.chunk(id, 1, sizeBytes: 999))
            #expect(try await refused(), "too few bytes")
            #expect(try await catalog.contents(of: id, stream: nil)?.renditions.isEmpty == true)
            #expect(
                await catalogError { try await catalog.publish(VideoID(), publication) } == .notFound)
        }
    }

    @Test(
        "a video whose original follows is active without it, and complete when it is there",
        arguments: CatalogImplementation.all)
    func originalFollows(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let id = Fixture.video().id
            try await catalog.createVideo(Fixture.video(id))
            let whole = try Fixture.publication(sourceBytes: 1000, originalBytes: 2500)
            let early = Publication(
                durationSec: whole.durationSec, original: whole.original, renditions: whole.renditions,
                originalFollows: true)
            #expect(await catalogError { try await catalog.publish(id, early) } == .conflict, "nothing to play")
            _ = try await catalog.recordChunk(try Fixture.chunk(id, 0))
            try await catalog.publish(id, early)
            #expect(try await catalog.video(id)?.status == .active)
            #expect(await catalogError { try await catalog.publish(id, whole) } == .conflict, "the original is missing")
            _ = try await catalog.recordChunk(try Fixture.chunk(id, 0, stream: .original, sizeBytes: 2500))
            try await catalog.publish(id, whole)
            #expect(try await catalog.contents(of: id, stream: nil)?.original == whole.original)
        }
    }

    @Test("a title changes, and only that of a video that is there", arguments: CatalogImplementation.all)
    func title(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let id = VideoID()
            try await catalog.createVideo(Fixture.video(id))
            try await catalog.rename(id, title: "Another", filename: nil)
            #expect(try await catalog.video(id)?.title == "Another")
            try await catalog.deleteVideo(id)
            #expect(await catalogError { try await catalog.rename(id, title: "Late", filename: nil) } == .notFound)
        }
    }
}
