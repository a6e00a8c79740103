import Base
import Catalog
import ChunkPaxos
import HTTPTypes
import MetadataAPI
import Testing

@testable import Metadata

@Suite("The journal on the nodes")
struct JournalTests {
    /// What the nodes have of the video's journal streams.
    private func sequences(_ upload: Upload, _ stream: ChunkStream, at url: String) -> [Int] {
        let chunks = upload.harness.cluster.chunks(at: url)
        return (0..<200).filter { chunks.contains(ChunkID(video: upload.id, stream: stream, sequence: $0)) }
    }

    private func facts(_ upload: Upload, at url: String) async throws -> FactsRecord {
        let sequence = try #require(sequences(upload, .catalog, at: url).last)
        let chunk = ChunkID(video: upload.id, stream: .catalog, sequence: sequence)
        let part = try JournalPart(decoding: try await upload.harness.cluster.bytes(of: chunk, at: url))
        return try FactsRecord(encoded: try #require(JournalPart.join([part])))
    }

    private func rename(_ upload: Upload, _ title: String) async throws {
        let answer = try await upload.harness.call(
            .patch, "/video/\(upload.id)", UpdateVideoRequest(title: title))
        #expect(answer.status == 200)
    }

    @Test("what is acknowledged is on every node, and what it replaces is gone from there")
    func replaces() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            try await upload.publishSmall()
            for title in ["One", "  Two "] { try await rename(upload, title) }
            for url in upload.urls {
                let record = try await facts(upload, at: url)
                #expect(record.title == "Two" && record.publication != nil)
                #expect(try record.facts() == (try await harness.service.catalog.journal(of: upload.id)?.facts))
                #expect(sequences(upload, .catalog, at: url).count == 1)
                #expect(sequences(upload, .publication, at: url) == record.publication.map { Array($0.chunks) })
            }
            #expect(try await harness.service.catalog.journalDueCount() == 0)
        }
    }

    @Test("a record that does not fit into a chunk goes into several, and its successor replaces them all")
    func severalChunks() async throws {
        try await Harness.run(environment: ["CHUNK_SIZE": "300"]) { harness in
            let upload = try await Upload(harness)
            try await upload.publishSmall()
            let first = sequences(upload, .publication, at: upload.urls[0])
            #expect(first.count > 1)
            try await upload.publishSmall()
            let second = sequences(upload, .publication, at: upload.urls[0])
            #expect(second.count == first.count && second.first == (first.last ?? 0) + 1)
            for url in upload.urls { #expect(sequences(upload, .catalog, at: url).count > 1) }
        }
    }

    @Test("views follow in their own time, many in one record")
    func views() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            try await rename(upload, "T")
            let before = sequences(upload, .catalog, at: upload.urls[0])
            for _ in 0..<5 { #expect(try await harness.call(.post, "/video/\(upload.id)/view").status == 200) }
            #expect(sequences(upload, .catalog, at: upload.urls[0]) == before)
            #expect(await harness.service.journal.pass(.prompt) == 0)
            #expect(sequences(upload, .catalog, at: upload.urls[0]) == before)
            #expect(await harness.service.journal.pass(.counters) == 0)
            #expect(try await facts(upload, at: upload.urls[0]).viewCount == 5)
            #expect(sequences(upload, .catalog, at: upload.urls[0]) == before.map { $0 + 1 })
        }
    }

    @Test("a node that is away gets what it missed when it is back, and is rid of what is old")
    func heals() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            try await upload.publishSmall()
            let old = sequences(upload, .catalog, at: upload.urls[2])
            harness.cluster.setUp(upload.urls[2], false)
            for title in ["One", "Two", "Three"] { try await rename(upload, title) }
            try await upload.publishSmall()
            #expect(sequences(upload, .catalog, at: upload.urls[2]) == old)
            #expect(sequences(upload, .catalog, at: upload.urls[0]) != old)
            harness.cluster.setUp(upload.urls[2], true)
            await harness.service.journal.heal()
            for url in upload.urls {
                let record = try await facts(upload, at: url)
                #expect(record.title == "Three")
                #expect(sequences(upload, .catalog, at: url).count == 1)
                #expect(sequences(upload, .publication, at: url) == record.publication.map { Array($0.chunks) })
            }
            #expect(try await harness.service.catalog.journal(of: upload.id)?.lags.isEmpty == true)
        }
    }

    @Test(
        "without a majority a change is acknowledged all the same, and written when the nodes are back, over a restart")
    func outbox() async throws {
        try await Harness.run(patience: .milliseconds(1)) { harness in
            let upload = try await Upload(harness)
            for url in upload.urls.dropFirst() { harness.cluster.setUp(url, false) }
            try await rename(upload, "While they are away")
            #expect(await harness.service.journal.pass(.counters) == 1)
            #expect(try await harness.service.catalog.journalDueCount() == 1)
            try await harness.restarted { next in
                for url in upload.urls { next.cluster.setUp(url, true) }
                #expect(await next.service.journal.pass(.prompt) == 0)
                let record = try await facts(upload, at: upload.urls[1])
                #expect(record.title == "While they are away")
                #expect(try await next.service.catalog.journalDueCount() == 0)
            }
        }
    }

    @Test("stopping writes what is left, counters too")
    func farewell() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            _ = try await harness.call(.post, "/video/\(upload.id)/view")
            await harness.service.stop()
            #expect(try await facts(upload, at: upload.urls[0]).viewCount == 1)
        }
    }

    @Test("whoever takes a number of the journal only makes it use the next")
    func takenNumbers() async throws {
        try await Harness.run(patience: .milliseconds(1)) { harness in
            let upload = try await Upload(harness)
            #expect(await harness.service.journal.pass(.prompt) == 0)
            let next = try #require(try await harness.service.catalog.journal(of: upload.id)).records(of: .catalog).next
            let taken = ChunkID(video: upload.id, stream: .catalog, sequence: next)
            try harness.cluster.put(taken, try upload.stored(), at: upload.urls)
            try await rename(upload, "Through")
            while await harness.service.journal.pass(.prompt) > 0 { await Task.yield() }
            #expect(try await facts(upload, at: upload.urls[0]).title == "Through")
            #expect(sequences(upload, .catalog, at: upload.urls[0]) == [next + 1])
        }
    }

    @Test("a title is 1 to 500 characters, of a video that is there")
    func titles() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            for title in ["  ", String(repeating: "x", count: 501)] {
                let answer = try await harness.call(
                    .patch, "/video/\(upload.id)", UpdateVideoRequest(title: title))
                #expect(answer.status == 400 && answer.detail.contains("'title'"))
            }
            let answer = try await harness.call(.patch, "/video/\(VideoID())", UpdateVideoRequest(title: "T"))
            #expect(answer.status == 404)
        }
    }
}

extension Upload {
    /// Stores and publishes a source of three chunks and an original of one.
    func publishSmall() async throws {
        try await putAndCommit(0..<3)
        try await putAndCommit(0..<1, stream: .original)
        let original = OriginalMessage(
            filename: "film.mov", contentType: "video/quicktime", sizeBytes: 100,
            checksum: try value(0, stream: .original).checksum, width: 640, height: 360, qualityLabel: "360p")
        let segments = (0..<3).map {
            SegmentMessage(
                offsetBytes: 20 + $0 * 90, sizeBytes: 90, startSec: Double($0) * 6.006, durationSec: 6.006)
        }
        let rendition = RenditionMessage(
            stream: .source, width: 640, height: 360, codecs: "avc1.4d401e,mp4a.40.2", frameRate: 29.97,
            bandwidth: 900_000, averageBandwidth: 800_000, initializationBytes: 20, segments: segments)
        let request = PublishRequest(durationSec: 18.018, original: original, renditions: [rendition])
        #expect(try await harness.call(.post, "/video/\(id)/publish", request).status == 200)
    }
}
