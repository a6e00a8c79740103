import Base
import Catalog
import HTTPTypes
import MetadataAPI
import Testing

@testable import Metadata

@Suite("Deletion")
struct ReaperTests {
    @Test("a deleted video is gone at once, and its chunks with the next pass, also those never committed")
    func deletes() async throws {
        try await Harness.run(nodes: 5) { harness in
            let (upload, other) = (try await Upload(harness), try await Upload(harness))
            try await upload.putAndCommit(0..<100)
            try await upload.putAndCommit(0..<1, stream: .thumbnail)
            try upload.put(try upload.value(103))
            try upload.put(try upload.value(0, stream: .original))
            try await other.putAndCommit(0..<1)
            #expect(try await harness.call(.delete, "/video/\(upload.id)").status == 204)
            #expect(try await harness.call(.get, "/video/\(upload.id)").status == 404)
            #expect(try await harness.call(.get, "/videos").decoded([VideoSummary].self).map(\.videoId) == [other.id])
            #expect(try await harness.call(.delete, "/video/\(upload.id)").status == 404)
            #expect(try await upload.commit(try upload.value(0)).status == 404)
            try await harness.service.reaper.pass()
            #expect(Self.left(harness).filter { !$0.isJournal } == [other.chunk(0)])
            #expect(try await harness.service.catalog.deletions(of: nil, limit: 10).isEmpty)
            // The note that it is deleted outlives everything else of it, and goes last.
            let notes = Self.left(harness).filter { $0.description.hasPrefix("\(upload.id)") }
            #expect(notes.count == 1)
            #expect(await harness.service.journal.pass(.prompt) == 0)
            #expect(Self.left(harness).allSatisfy { $0.description.hasPrefix("\(other.id)") })
            #expect(try await harness.service.catalog.journal(of: upload.id) == nil)
        }
    }

    private static func left(_ harness: Harness) -> Set<ChunkID> {
        (0..<5).reduce(into: Set<ChunkID>()) { $0.formUnion(harness.cluster.chunks(at: Harness.url($1))) }
    }

    @Test(
        "a node that is down keeps nobody waiting, and is cleaned when it is back, over a restart",
        .timeLimit(.minutes(1)))
    func downNode() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            try await upload.putAndCommit(0..<3)
            harness.cluster.setUp(upload.urls[1], false)
            #expect(try await harness.call(.delete, "/video/\(upload.id)").status == 204)
            try await harness.service.reaper.pass()
            #expect(harness.cluster.mediaChunks(at: upload.urls[0]).isEmpty)
            #expect(harness.cluster.mediaChunks(at: upload.urls[1]).count == 3)
            try await harness.restarted { next in
                #expect(try await next.call(.get, "/manifest/\(upload.id)").status == 404)
                try await next.service.start(url: "http://127.0.0.1:0")
                next.cluster.setUp(upload.urls[1], true)
                // The reaper looks every few milliseconds; the test's time limit is the only other end.
                while !next.cluster.chunks(at: upload.urls[1]).isEmpty { try await Task.sleep(for: .milliseconds(2)) }
                while !(try await next.service.catalog.deletions(of: nil, limit: 1).isEmpty) {
                    try await Task.sleep(for: .milliseconds(2))
                }
            }
        }
    }
}
