import Base
import Catalog
import Placement
import Testing

@Suite("Catalog conformance: deletions")
struct DeletionConformanceTests {
    @Test(
        "a deleted video is out of sight at once, its chunks stay listed until they are gone",
        arguments: CatalogImplementation.all)
    func outOfSight(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let id = Fixture.video().id
            try await catalog.createVideo(Fixture.video(id))
            let chunk = try Fixture.chunk(id, 0)
            _ = try await catalog.recordChunk(chunk)
            try await catalog.deleteVideo(id)
            #expect(try await catalog.video(id) == nil)
            #expect(try await catalog.contents(of: id, stream: nil) == nil)
            #expect(try await catalog.chunk(chunk.id) == nil)
            #expect(try await catalog.statistics() == CatalogStatistics(videos: 0, chunks: 0, replicas: 0))
            #expect(await catalogError { try await catalog.deleteVideo(id) } == .notFound)
            #expect(await catalogError { try await catalog.addView(of: id) } == .notFound)
            // Nothing goes before a majority knows that it may.
            #expect(try await catalog.deletions(of: nil, limit: 100).isEmpty)
            try await catalog.writeJournal(of: id)
            let deletions = try await catalog.deletions(of: nil, limit: 100)
            #expect(Set(deletions) == Set(Fixture.group.members.map { Deletion(video: id, node: $0) }))
            let second = Fixture.nodes[1]
            #expect(try await catalog.deletions(of: second, limit: 100) == [Deletion(video: id, node: second)])
            #expect(try await catalog.deletions(of: Fixture.nodes[4], limit: 100).isEmpty)
            for deletion in deletions {
                #expect(try await catalog.chunks(of: deletion, limit: 10).map(\.id) == [chunk.id])
            }
        }
    }

    @Test("a replica outside the group is deleted too", arguments: CatalogImplementation.all)
    func movedReplica(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let id = Fixture.video().id
            try await catalog.createVideo(Fixture.video(id))
            _ = try await catalog.recordChunk(try Fixture.chunk(id, 0, replicas: [Fixture.nodes[4]]))
            try await catalog.deleteVideo(id)
            try await catalog.writeJournal(of: id)
            let nodes = try await catalog.deletions(of: nil, limit: 100).map(\.node)
            #expect(nodes.sorted() == Fixture.group.members + [Fixture.nodes[4]])
        }
    }

    @Test(
        "a deletion goes on where it was, and after the last node the video can be forgotten",
        arguments: CatalogImplementation.all)
    func progress(_ implementation: CatalogImplementation) async throws {
        try await withFolder { folder in
            var catalog = try await implementation.open(folder)
            try await Fixture.registerNodes(catalog)
            let id = Fixture.video().id
            try await catalog.createVideo(Fixture.video(id))
            for sequence in 0..<5 { _ = try await catalog.recordChunk(try Fixture.chunk(id, sequence)) }
            try await catalog.deleteVideo(id)
            try await catalog.writeJournal(of: id)
            let first = try #require(try await catalog.deletions(of: nil, limit: 1).first)
            let batch = try await catalog.chunks(of: first, limit: 3)
            try await catalog.advanceDeletion(first, to: try #require(batch.last))
            await catalog.close()

            catalog = try await implementation.open(folder)
            #expect(try await catalog.deletions(of: nil, limit: 1) == [first])
            let rest = try await catalog.chunks(of: first, limit: 10)
            #expect(rest.map(\.id) == (3..<5).map { ChunkID(video: id, stream: .source, sequence: $0) })
            #expect(try await catalog.streamEnds(of: first) == [.source: 5])
            for deletion in try await catalog.deletions(of: nil, limit: 100) {
                try await catalog.finishDeletion(deletion)
            }
            try await catalog.finishDeletion(first)
            #expect(try await catalog.deletions(of: nil, limit: 100).isEmpty)
            // Only the note of the deletion is left on the nodes, and it may go now.
            #expect(try await catalog.journal(of: id)?.isClosing == true)
            #expect(try await catalog.due(.prompt) == [id])
            try await catalog.forgetVideo(id)
            #expect(try await catalog.streamEnds(of: first).isEmpty)
            #expect(try await catalog.journal(of: id) == nil)
            // Nothing of it is left, so the id could be used anew.
            try await catalog.createVideo(Fixture.video(id))
            await catalog.close()
        }
    }

    @Test(
        "a deletion that ends while its note is written once more leaves the note due to go",
        arguments: CatalogImplementation.all)
    func overtakenNote(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            try await Fixture.registerNodes(catalog)
            let id = Fixture.video().id
            try await catalog.createVideo(Fixture.video(id))
            try await catalog.deleteVideo(id)
            try await catalog.writeJournal(of: id)
            #expect(try await catalog.due(.prompt).isEmpty)
            let state = try #require(try await catalog.journal(of: id))
            let first = try await catalog.claimJournal(of: id, .catalog, count: 1)
            for deletion in try await catalog.deletions(of: nil, limit: 100) {
                try await catalog.finishDeletion(deletion)
            }
            try await catalog.noteJournal(
                of: id,
                JournalWrite(stream: .catalog, chunks: first..<first + 1, revision: state.facts.revision, lagging: []))
            #expect(try await catalog.journal(of: id)?.isClosing == true)
            #expect(try await catalog.due(.prompt) == [id])
        }
    }
}
