import Base
import Catalog
import CatalogSQLite
import ChunkPaxos
import Foundation
import HTTPTypes
import MetadataAPI
import Testing

@testable import Metadata

@Suite("Rebuilding the catalog")
struct RebuildTests {
    private static let urls = (0..<5).map(Harness.url)

    private func rebuild(_ harness: Harness, nodes: [String] = urls) async throws -> (RebuildReport, String) {
        let path = harness.folder + "/rebuilt-\(UUID().uuidString).db"
        let rebuild = CatalogRebuild(nodes: nodes, listing: harness.cluster, gateway: harness.cluster)
        return (try await rebuild.build(at: path), path)
    }

    private func opened<R>(_ path: String, _ body: (CatalogSQLite) async throws -> R) async throws -> R {
        let catalog = try CatalogSQLite(path: path)
        do {
            let result = try await body(catalog)
            await catalog.close()
            return result
        } catch {
            await catalog.close()
            throw error
        }
    }

    /// Everything that the catalog says of its videos.
    private func contents(_ catalog: any Catalog) async throws -> [VideoContents] {
        var all: [VideoContents] = []
        for video in try await catalog.videos(limit: 1000, offset: 0) {
            all.append(try #require(try await catalog.contents(of: video.id, stream: nil)))
        }
        return all
    }

    @Test("videos of every kind are as they were, field by field, and the journal goes on")
    func equal() async throws {
        try await Harness.run(nodes: 5, environment: ["CHUNK_SIZE": "400"]) { harness in
            var uploads: [Upload] = []
            for number in 0..<12 {
                let upload = try await Upload(harness, title: "Film „\(number)“")
                harness.clock.advance(seconds: 0.001_000_003)
                uploads.append(upload)
                if number == 0 { try await upload.putAndCommit(0..<2) } else { try await upload.publishSmall() }
            }
            try await uploads[2].putAndCommit(0..<1, stream: .thumbnail)
            for _ in 0..<7 { _ = try await harness.call(.post, "/video/\(uploads[3].id)/view") }
            _ = try await harness.call(
                .patch, "/video/\(uploads[4].id)/status", StatusRequest(status: .failed, error: "a reason"))
            _ = try await harness.call(.patch, "/video/\(uploads[5].id)", UpdateVideoRequest(title: "Renamed"))
            _ = try await harness.call(.delete, "/video/\(uploads[6].id)")
            try await harness.service.reaper.pass()
            _ = try await harness.call(.delete, "/video/\(uploads[7].id)")
            #expect(await harness.service.journal.pass(.counters) == 0)
            let before = try await contents(harness.service.catalog)
            let statistics = try await harness.service.catalog.statistics()

            let (report, path) = try await rebuild(harness)
            #expect(report.isWhole && report.videoCount == 10 && report.deletedCount == 1, "\(report)")
            try await opened(path) { catalog in
                #expect(try await contents(catalog) == before)
                #expect(try await catalog.statistics() == statistics)
                #expect(try await catalog.nodes().map(\.url) == Self.urls)
                #expect(try await catalog.journalDueCount() == 0)
                // The deletion that was not finished goes on.
                let due = try await catalog.deletions(of: nil, limit: 100)
                #expect(Set(due.map(\.video)) == [uploads[7].id] && due.count == 3)
                let state = try #require(try await catalog.journal(of: uploads[5].id))
                let old = try #require(try await harness.service.catalog.journal(of: uploads[5].id))
                #expect(state.facts == old.facts && !state.ownsFirstBallot && state.lags.isEmpty)
                #expect(state.records(of: .catalog).newest == old.records(of: .catalog).newest)
            }
        }
    }

    @Test("a rebuilt catalog writes its journal by both phases, and a second rebuild knows what changed")
    func again() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            try await upload.publishSmall()
            let (_, path) = try await rebuild(harness, nodes: Array(Self.urls.prefix(3)))
            await harness.service.stop()
            for name in ["", "-wal", "-shm"] {
                try? FileManager.default.removeItem(atPath: harness.folder + "/metadata.db" + name)
            }
            try FileManager.default.moveItem(atPath: path, toPath: harness.folder + "/metadata.db")
            try await harness.restarted { next in
                for number in 0..<3 { try await next.register(number) }
                let answer = try await next.call(.patch, "/video/\(upload.id)", UpdateVideoRequest(title: "Second"))
                #expect(answer.status == 200)
                #expect(try await next.service.catalog.journalDueCount() == 0)
                let before = try await contents(next.service.catalog)
                let (report, path) = try await rebuild(next, nodes: Array(Self.urls.prefix(3)))
                #expect(report.isWhole)
                let restored = try await opened(path) { try await contents($0) }
                #expect(restored == before && restored.map(\.video.title) == ["Second"])
            }
        }
    }

    @Test("a node that does not answer costs nothing but its copies; it lags until it is back")
    func oneAway() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            try await upload.publishSmall()
            harness.cluster.setUp(upload.urls[0], false)
            let (report, path) = try await rebuild(harness, nodes: Array(Self.urls.prefix(3)))
            #expect(report.isWhole && report.videoCount == 1 && report.replicaCount == 8)
            #expect(report.nodes.filter { $0.error != nil }.map(\.nodeUrl) == [upload.urls[0]])
            try await opened(path) { catalog in
                let state = try #require(try await catalog.journal(of: upload.id))
                #expect(state.members.map(\.url) == Array(Self.urls.prefix(3)))
                #expect(Set(state.lags.map(\.stream)) == [.catalog, .publication])
            }
        }
    }

    @Test("without a majority of its group, a video is named with the reason and not entered")
    func noMajority() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            try await upload.publishSmall()
            for url in upload.urls.dropFirst() { harness.cluster.setUp(url, false) }
            let (report, path) = try await rebuild(harness, nodes: Array(Self.urls.prefix(3)))
            #expect(!report.isWhole && report.videoCount == 0)
            let line = try #require(report.incomplete.first)
            #expect(line.videoId == upload.id && line.title == "A film" && !line.isEntered)
            #expect(line.reasons[0].contains("1 of the 3 nodes of its group answered"))
            #expect(try await opened(path) { try await $0.videos(limit: 10, offset: 0) }.isEmpty)
            for url in upload.urls { harness.cluster.setUp(url, false) }
            await #expect(throws: Failure.self) { try await rebuild(harness, nodes: Array(Self.urls.prefix(3))) }
        }
    }

    @Test("chunks whose last copy is lost, or that only one node accepted, are named")
    func lostChunks() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            try await upload.publishSmall()
            for url in upload.urls { harness.cluster.change(url) { $0.stored[upload.chunk(1)] = nil } }
            for url in upload.urls.dropFirst() {
                harness.cluster.change(url) {
                    $0.stored[upload.chunk(2)] = nil
                    $0.acceptors[upload.chunk(2)] = nil
                }
            }
            let (report, path) = try await rebuild(harness, nodes: Array(Self.urls.prefix(3)))
            let line = try #require(report.incomplete.first)
            #expect(line.isEntered && report.incompleteCount == 1)
            let reason = try #require(line.reasons.first)
            #expect(reason.contains("2 of 3 chunks of stream 'source' are missing: 1, 2"))
            #expect(
                reason.contains("no node that answered has its bytes") && reason.contains("is known to have accepted"))
            #expect(try await opened(path) { try await $0.video(upload.id) }?.totalChunks == 1)
        }
    }

    @Test("an agreement that a proposer left half-way is finished")
    func finishes() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            try await upload.publishSmall()
            let value = try upload.value(1)
            // A later proposer got as far as one acceptor.
            harness.cluster.change(upload.urls[0]) {
                let configuration = (try? value.holders()).map { Configuration(initial: $0) }
                guard let configuration, let bytes = try? value.encoded() else { return }
                _ = $0.acceptors[upload.chunk(1)]?.on(
                    ChunkAcceptor.Request(configuration, .accept(Ballot(round: 3, proposer: 5), value: bytes)))
            }
            harness.cluster.change(upload.urls[1]) { $0.acceptors[upload.chunk(1)] = nil }
            let before = try await contents(harness.service.catalog)
            let (report, path) = try await rebuild(harness, nodes: Array(Self.urls.prefix(3)))
            #expect(report.isWhole && report.finishedCount == 1)
            #expect(try await opened(path) { try await contents($0) } == before)
        }
    }

    @Test("a deletion is believed of a single node, a video only of a majority")
    func beliefs() async throws {
        try await Harness.run(patience: .milliseconds(1)) { harness in
            let (deleted, known) = (try await Upload(harness), try await Upload(harness, title: "Old title"))
            for upload in [deleted, known] { try await upload.publishSmall() }
            while await harness.service.journal.pass(.counters) > 0 { await Task.yield() }
            // From here on only one node takes anything: the newest records are those of a minority.
            for url in deleted.urls.dropFirst() { harness.cluster.setUp(url, false) }
            _ = try await harness.call(.delete, "/video/\(deleted.id)")
            _ = try await harness.call(.patch, "/video/\(known.id)", UpdateVideoRequest(title: "New title"))
            _ = await harness.service.journal.pass(.counters)
            let fresh = try await Upload(harness, title: "Of a minority")
            _ = await harness.service.journal.pass(.counters)
            for url in deleted.urls { harness.cluster.setUp(url, true) }
            let (report, path) = try await rebuild(harness, nodes: Array(Self.urls.prefix(3)))
            #expect(report.deletedCount == 1 && report.videoCount == 1)
            #expect(report.incomplete.map(\.videoId) == [fresh.id])
            #expect(report.incomplete.first?.reasons[0].contains("no majority has a journal of it") == true)
            try await opened(path) { catalog in
                let restored = try await catalog.video(known.id)
                #expect(restored?.title == "New title")
                // Both are written anew, so that a majority has them.
                #expect(try await catalog.journalDueCount() == 2)
                #expect(try await catalog.deletions(of: nil, limit: 10).isEmpty)
            }
        }
    }

    @Test("of a video that is gone for good, nothing comes back from what acceptors remember")
    func gone() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            try await upload.publishSmall()
            _ = try await harness.call(.delete, "/video/\(upload.id)")
            try await harness.service.reaper.pass()
            #expect(await harness.service.journal.pass(.prompt) == 0)
            #expect(Self.urls.prefix(3).allSatisfy { harness.cluster.chunks(at: $0).isEmpty })
            #expect(harness.cluster.acceptor(upload.chunk(0), at: upload.urls[0])?.accepted != nil)
            let (report, _) = try await rebuild(harness, nodes: Array(Self.urls.prefix(3)))
            #expect(report.isWhole && report.videoCount == 0 && report.deletedCount == 0)
        }
    }

    @Test("two addresses of one node are refused")
    func twins() async throws {
        try await Harness.run { harness in
            harness.cluster.add(try #require(NodeID("node-1")), at: "http://elsewhere:1")
            let error = await #expect(throws: Failure.self) {
                try await rebuild(harness, nodes: [Harness.url(0), "http://elsewhere:1"])
            }
            #expect(error?.message.contains("both node 'node-1'") == true)
        }
    }
}
