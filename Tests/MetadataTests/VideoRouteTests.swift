import Base
import Catalog
import ChunkPaxos
import Foundation
import HTTPTypes
import Hosting
import MetadataAPI
import Testing

@testable import Metadata

@Suite("Videos")
struct VideoRouteTests {
    @Test("creating a video gives an id, a group of three, and ballot 0")
    func create() async throws {
        try await Harness.run(nodes: 5) { harness in
            let answer = try await harness.call(
                .post, "/video", bytes: Array(#"{"title":"  My Video ","duration_sec":600}"#.utf8))
            let created: CreateVideoResponse = try answer.decoded()
            #expect(answer.status == 200)
            #expect(created.uploadUrl == "/upload/\(created.videoId)")
            #expect(created.placementGroup.nodes.count == 3)
            #expect(created.ballot.round == 0)
            let video: VideoSummary = try await harness.call(.get, "/video/\(created.videoId.compact)").decoded()
            #expect(video.title == "My Video")
            #expect(video.durationSec == 600)
            #expect(video.status == .uploading)
        }
    }

    @Test(
        "a bad request is 400 that says what is wrong",
        arguments: [
            (#"{"title":""}"#, "500"), (#"{"title":"   "}"#, "500"), (#"{}"#, "title"), (#"{"title":7}"#, "title"),
            (#"{"title":"x","duration_sec":-1}"#, "duration_sec"), ("", "JSON"), ("[1", "JSON"),
            (#"{"title":"\#(String(repeating: "t", count: 10_000))"}"#, "1 to 500"),
            (#"{"title":"x","filename":"\#(String(repeating: "f", count: 2000))"}"#, "filename"),
        ])
    func badRequests(_ body: String, _ said: String) async throws {
        try await Harness.run { harness in
            let answer = try await harness.call(.post, "/video", bytes: Array(body.utf8))
            #expect(answer.status == 400)
            #expect(answer.detail.contains(said))
        }
    }

    @Test("500 characters and markup are a title like any other")
    func titles() async throws {
        try await Harness.run { harness in
            for title in [String(repeating: "ü", count: 500), "<script>alert(1)</script>"] {
                let upload = try await Upload(harness, title: title)
                let video: VideoSummary = try await harness.call(.get, "/video/\(upload.id)").decoded()
                #expect(video.title == title)
            }
        }
    }

    @Test("without a node that is up, creating is 503 that says so")
    func noNode() async throws {
        try await Harness.run(nodes: 0) { harness in
            let answer = try await harness.call(.post, "/video", CreateVideoRequest(title: "x"))
            #expect(answer.status == 503)
            #expect(answer.detail.contains("storage node"))
        }
        try await Harness.run { (harness) async throws in
            harness.clock.advance(seconds: 31)
            #expect(try await harness.call(.post, "/video", CreateVideoRequest(title: "x")).status == 503)
        }
    }

    @Test("the list pages newest first and refuses numbers out of range")
    func list() async throws {
        try await Harness.run { harness in
            for number in 0..<5 {
                _ = try await Upload(harness, title: "\(number)")
                harness.clock.advance(seconds: 1)
            }
            let page: [VideoSummary] = try await harness.call(.get, "/videos?limit=2&offset=1").decoded()
            #expect(page.map(\.title) == ["3", "2"])
            #expect(try await harness.call(.get, "/videos").decoded([VideoSummary].self).count == 5)
            for query in ["limit=0", "limit=1001", "limit=x", "offset=-1", "limit="] {
                #expect(try await harness.call(.get, "/videos?\(query)").status == 400, "\(query)")
            }
        }
    }

    @Test("publishing waits for every chunk, then the layout has everything")
    func publish() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            let request = try publication(of: upload)
            try await upload.putAndCommit(0..<2)
            let early = try await harness.call(.post, "/video/\(upload.id)/publish", request)
            #expect(early.status == 409)
            #expect(early.detail.contains("original"))
            try await upload.putAndCommit(0..<1, stream: .original)
            #expect(try await harness.call(.post, "/video/\(upload.id)/publish", request).status == 200)
            let layout: VideoLayout = try await harness.call(.get, "/video/\(upload.id)/layout").decoded()
            #expect(layout.video.status == .active)
            #expect(layout.video.durationSec == 20)
            #expect(layout.original == request.original)
            #expect(layout.renditions == request.renditions)
            #expect(layout.streams.map(\.stream) == [.original, .source])
            #expect(layout.chunks(of: .source).map(\.sequenceNum) == [0, 1])
            #expect(try await harness.call(.get, "/video/\(VideoID())/layout").status == 404)
            #expect(try await harness.call(.post, "/video/\(VideoID())/publish", request).status == 404)
        }
    }

    @Test("status is set where it may be")
    func status() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            let path = "/video/\(upload.id)/status"
            let failed = StatusRequest(status: .failed, error: "no video stream")
            #expect(try await harness.call(.patch, path, failed).status == 200)
            let video: VideoSummary = try await harness.call(.get, "/video/\(upload.id)").decoded()
            #expect(video.status == .failed && video.error == "no video stream")
            #expect(try await harness.call(.patch, path, StatusRequest(status: .active)).status == 409)
            #expect(try await harness.call(.patch, path, bytes: Array(#"{"status":"gone"}"#.utf8)).status == 400)
            #expect(try await harness.call(.patch, path, StatusRequest(status: .deleted)).status == 200)
            #expect(try await harness.call(.get, "/video/\(upload.id)").status == 404)
        }
    }

    @Test("views are counted and shown")
    func views() async throws {
        struct Popularity: Decodable { let viewCount: Int }
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            for _ in 0..<3 { #expect(try await harness.call(.post, "/video/\(upload.id)/view").status == 200) }
            let shown: Popularity = try await harness.call(.get, "/video/\(upload.id)/popularity").decoded()
            #expect(shown.viewCount == 3)
            #expect(try await harness.call(.post, "/video/\(VideoID())/view").status == 404)
            #expect(try await harness.call(.get, "/video/\(VideoID())/popularity").status == 404)
            #expect(try await harness.call(.get, "/video/nonsense/popularity").status == 400)
        }
    }

    @Test("totals, the root and health have the seed's fields")
    func totals() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            try await upload.putAndCommit(0..<2)
            #expect(
                try await harness.call(.get, "/stats").text
                    == #"{"healthy_nodes":3,"service_version":"\#(Version.current)","total_chunks":2,"#
                    + #""total_replicas":6,"total_videos":1}"#)
            #expect(try await harness.call(.get, "/").text.contains("V-Stack Metadata Service"))
            #expect(await harness.service.journal.pass(.counters) == 0)
            var health = await harness.service.health()
            #expect(health.status == "healthy")
            #expect(
                String(decoding: try JSON.encode(health.fields), as: UTF8.self)
                    == #"{"database_status":"healthy","healthy_nodes":3,"journal_due":0,"total_nodes":3}"#)
            harness.clock.advance(seconds: 31)
            health = await harness.service.health()
            #expect(health.status == "degraded")
            await harness.service.catalog.close()
            health = await harness.service.health()
            #expect(health.status == "critical")
        }
    }

    private func publication(of upload: Upload) throws -> PublishRequest {
        let checksum = try upload.value(0).checksum
        let segments = [
            SegmentMessage(offsetBytes: 20, sizeBytes: 80, startSec: 0, durationSec: 10),
            SegmentMessage(offsetBytes: 100, sizeBytes: 100, startSec: 10, durationSec: 10),
        ]
        return PublishRequest(
            durationSec: 20,
            original: OriginalMessage(
                filename: "film.mp4", contentType: "video/mp4", sizeBytes: 100, checksum: checksum, width: 320,
                height: 240, qualityLabel: "240p"),
            renditions: [
                RenditionMessage(
                    stream: .source, width: 320, height: 240, codecs: "avc1.640028", frameRate: 25, bandwidth: 1000,
                    averageBandwidth: 900, initializationBytes: 20, segments: segments)
            ])
    }
}
