import Base
import Catalog
import Placement
import Testing

@Suite("Catalog conformance: the journal")
struct JournalConformanceTests {
    private typealias Change = @Sendable (any Catalog, VideoID) async throws -> Void

    @Test(
        "every change makes the journal due in its own transaction, until it is written",
        arguments: CatalogImplementation.all)
    func due(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let id = VideoID()
            try await catalog.createVideo(Fixture.video(id))
            #expect(try await catalog.due(.prompt) == [id])
            try await catalog.writeJournal(of: id)
            #expect(try await catalog.due().isEmpty)

            let changes: [(JournalUrgency, Change)] = [
                (.none, { _ = try await $0.recordChunk(try Fixture.chunk($1, 0)) }),
                (.none, { try await $0.setStatus(of: $1, to: .uploading, error: nil) }),
                (.prompt, { try await $0.rename($1, title: "Another title", filename: nil) }),
                (.none, { _ = try await $0.recordChunk(try Fixture.chunk($1, 0, stream: .original)) }),
                (
                    .prompt,
                    { try await $0.publish($1, try Fixture.publication(sourceBytes: 1000, originalBytes: 1000)) }
                ),
                (.counters, { _ = try await $0.addView(of: $1) }),
                (.counters, { _ = try await $0.recordChunk(try Fixture.chunk($1, 0, stream: .thumbnail)) }),
                (.prompt, { try await $0.setStatus(of: $1, to: .failed, error: "gone") }),
                (.prompt, { try await $0.deleteVideo($1) }),
            ]
            for (index, (urgency, change)) in changes.enumerated() {
                try await change(catalog, id)
                #expect(try await catalog.due(.prompt) == (urgency == .prompt ? [id] : []), "change \(index)")
                #expect(try await catalog.due(.counters) == (urgency == .none ? [] : [id]), "change \(index)")
                #expect(try await catalog.journalDueCount() == (urgency == .none ? 0 : 1), "change \(index)")
                try await catalog.writeJournal(of: id)
                #expect(try await catalog.due().isEmpty, "change \(index)")
            }
        }
    }

    @Test(
        "uploads that fail by silence are due", arguments: CatalogImplementation.all)
    func failedUploads(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let id = VideoID()
            try await catalog.createVideo(Fixture.video(id))
            try await catalog.writeJournal(of: id)
            let later = Fixture.epoch.adding(seconds: 10)
            #expect(try await catalog.failUploads(silentSince: later, error: "silence") == [id])
            #expect(try await catalog.due(.prompt) == [id])
            #expect(try await catalog.journal(of: id)?.facts.error == "silence")
        }
    }

    @Test(
        "the state says everything that chunks do not, before and after the deletion",
        arguments: CatalogImplementation.all)
    func state(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let new = Fixture.video(title: "Ein Film: „Straße“")
            try await catalog.createVideo(new)
            for sequence in 0..<3 { _ = try await catalog.recordChunk(try Fixture.chunk(new.id, sequence)) }
            _ = try await catalog.recordChunk(try Fixture.chunk(new.id, 0, stream: .original, sizeBytes: 77))
            let publication = try Fixture.publication(sourceBytes: 3000, originalBytes: 77)
            try await catalog.publish(new.id, publication)
            for _ in 0..<3 { _ = try await catalog.addView(of: new.id) }
            let state = try #require(try await catalog.journal(of: new.id))
            #expect(
                state.facts
                    == JournalFacts(
                        id: new.id, title: new.title, filename: new.filename, durationSec: publication.durationSec,
                        status: .active, error: nil, group: new.group, creator: new.creator, createdAt: new.createdAt,
                        viewCount: 3,
                        streams: [
                            StreamExtent(stream: .original, chunkCount: 1, sizeBytes: 77, sequenceEnd: 1),
                            StreamExtent(stream: .source, chunkCount: 3, sizeBytes: 3000, sequenceEnd: 3),
                        ], revision: state.facts.revision))
            #expect(state.isPublicationDue && state.publication == publication && state.publicationRevision == 1)
            #expect(state.members == Fixture.group.members.map { Fixture.node($0) })
            #expect(state.ownsFirstBallot && !state.isClosing && state.urgency == .prompt && state.lags.isEmpty)
            try await catalog.writeJournal(of: new.id)
            let written = try #require(try await catalog.journal(of: new.id))
            #expect(!written.isPublicationDue && written.publication == nil && written.urgency == .none)
            #expect(written.records(of: .publication) == JournalRecords(next: 2, newest: 0..<2, clean: 0))

            try await catalog.deleteVideo(new.id)
            let deleted = try #require(try await catalog.journal(of: new.id))
            #expect(deleted.facts.isDeleted && deleted.facts.title == new.title && !deleted.isClosing)
            #expect(deleted.facts.revision > state.facts.revision)
            #expect(try await catalog.journal(of: VideoID()) == nil)
        }
    }

    @Test(
        "a change that comes while the journal is written stays due", arguments: CatalogImplementation.all)
    func overtaken(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let id = VideoID()
            try await catalog.createVideo(Fixture.video(id))
            let state = try #require(try await catalog.journal(of: id))
            let first = try await catalog.claimJournal(of: id, .catalog, count: 1)
            try await catalog.deleteVideo(id)
            try await catalog.noteJournal(
                of: id,
                JournalWrite(
                    stream: .catalog, chunks: first..<first + 1, revision: state.facts.revision, lagging: []))
            #expect(try await catalog.due(.prompt) == [id])
            // What was written did not say that the video is deleted.
            #expect(try await catalog.deletions(of: nil, limit: 10).isEmpty)
        }
    }

    @Test(
        "no two claims get the same number, whoever asks at once", arguments: CatalogImplementation.all)
    func claims(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let id = VideoID()
            try await catalog.createVideo(Fixture.video(id))
            let claimed = try await withThrowingTaskGroup(of: [Int].self) { group in
                for count in 1...20 {
                    group.addTask {
                        let first = try await catalog.claimJournal(of: id, .catalog, count: count)
                        return Array(first..<first + count)
                    }
                }
                return try await group.reduce(into: [Int]()) { $0 += $1 }
            }
            #expect(claimed.sorted() == Array(0..<210))
            #expect(try await catalog.claimJournal(of: id, .publication, count: 3) == 0)
            #expect(
                await catalogError { try await catalog.claimJournal(of: VideoID(), .catalog, count: 1) } == .notFound)
        }
    }

    @Test(
        "a member that lacks a record keeps its place until it has the newest", arguments: CatalogImplementation.all)
    func lags(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let id = VideoID()
            let member = Fixture.group.members[1]
            try await catalog.createVideo(Fixture.video(id))
            try await catalog.writeJournal(of: id)
            for _ in 0..<3 {
                try await catalog.rename(id, title: "T", filename: nil)
                try await catalog.writeJournal(of: id, lagging: [member])
            }
            let state = try #require(try await catalog.journal(of: id))
            #expect(state.records(of: .catalog) == JournalRecords(next: 4, newest: 3..<4, clean: 3))
            #expect(state.lags == [JournalLag(node: member, stream: .catalog, clean: 0)])
            #expect(state.clean(.catalog, on: member) == 0)
            #expect(state.clean(.catalog, on: Fixture.group.members[0]) == 3)
            #expect(try await catalog.journalLagging(on: member, after: 0, limit: 10).map(\.video) == [id])
            #expect(try await catalog.journalLagging(on: Fixture.group.members[0], after: 0, limit: 10).isEmpty)
            try await catalog.writeJournal(of: id)
            #expect(try await catalog.journal(of: id)?.lags.isEmpty == true)
            #expect(try await catalog.journalLagging(on: member, after: 0, limit: 10).isEmpty)
        }
    }

    @Test(
        "a deletion takes every old record from a node, but not the one that says so",
        arguments: CatalogImplementation.all)
    func remains(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let id = VideoID()
            let late = Fixture.group.members[2]
            try await catalog.createVideo(Fixture.video(id))
            for stream in [ChunkStream.source, .original] {
                _ = try await catalog.recordChunk(try Fixture.chunk(id, 0, stream: stream))
            }
            try await catalog.publish(id, try Fixture.publication(sourceBytes: 1000, originalBytes: 1000))
            try await catalog.writeJournal(of: id)
            try await catalog.rename(id, title: "T", filename: nil)
            try await catalog.writeJournal(of: id, lagging: [late])
            try await catalog.deleteVideo(id)
            let marker = try await catalog.writeJournal(of: id, lagging: [late])
            #expect(marker == 2..<3)
            let deletions = try await catalog.deletions(of: nil, limit: 10)
            let early = try #require(deletions.first { $0.node != late })
            #expect(try await catalog.journalRemains(of: early) == [.catalog: 2..<2, .publication: 0..<2])
            let last = try #require(deletions.first { $0.node == late })
            #expect(try await catalog.journalRemains(of: last) == [.catalog: 0..<2, .publication: 0..<2])
        }
    }

    @Test(
        "a video is forgotten only when it is deleted and no node has anything of it",
        arguments: CatalogImplementation.all)
    func forgetting(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            let id = VideoID()
            try await catalog.createVideo(Fixture.video(id))
            try await catalog.forgetVideo(id)
            #expect(try await catalog.video(id) != nil)
            try await catalog.deleteVideo(id)
            try await catalog.forgetVideo(id)
            #expect(try await catalog.journal(of: id) != nil)
        }
    }
}
