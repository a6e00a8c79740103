import Base
import HTTPTypes
import MetadataAPI
import Streaming
import Testing

@Suite struct StreamingOriginTests {
    @Test("the playlists name each other's paths, and every path they name answers")
    func playlists() async throws {
        let video = FakeVideo()
        let origin = try TestOrigin(video)
        let master = await origin.get("/stream/\(video.id)/master.m3u8")
        #expect(master.status == .ok)
        #expect(master.headers["Content-Type"] == "application/vnd.apple.mpegurl")
        #expect(master.headers["Cache-Control"] == "no-cache")
        #expect(try await master.text().hasSuffix("\nsource/playlist.m3u8\n"))
        let media = await origin.get("/stream/\(video.id)/source/playlist.m3u8")
        let lines = try await media.text().split(separator: "\n")
        var joined: [UInt8] = try await origin.get("/stream/\(video.id)/source/init.mp4").collect()
        for name in lines where !name.hasPrefix("#") {
            let segment = await origin.get("/stream/\(video.id)/source/\(name)")
            #expect(segment.status == .ok)
            #expect(segment.headers["Content-Type"] == "video/mp4")
            #expect(segment.headers["Cache-Control"] == "public, max-age=31536000, immutable")
            joined += try await segment.collect()
        }
        #expect(joined == video.bytes[.source])
    }

    @Test("the DASH manifest names the playlists' segments, in ticks of the track; it is revalidated, not kept")
    func manifest() async throws {
        let video = FakeVideo(initialization: TestInitialization.bytes(timescale: 12_800))
        let origin = try TestOrigin(video)
        let path = "/stream/\(video.id)/manifest.mpd"
        let answer = await origin.get(path)
        #expect(answer.status == .ok)
        #expect(answer.headers["Content-Type"] == "application/dash+xml")
        #expect(answer.headers["Cache-Control"] == "no-cache")
        let text = try await answer.text()
        #expect(text.contains(#"initialization="source/init.mp4" media="source/segment-$Number%05d$.m4s""#))
        #expect(text.contains(#"timescale="12800""#) && text.contains(#"<S t="0" d="76800" r="1"/>"#))
        let tag = try #require(answer.headers["ETag"])
        #expect(await origin.get(path, ["If-None-Match": tag]).status == .notModified)
        let calls = video.chunkCalls
        #expect(try await origin.get(path).text() == text)
        #expect(video.chunkCalls == calls)
    }

    @Test("a rendition whose initialization segment is none has no manifest")
    func brokenInitialization() async throws {
        let video = FakeVideo()
        let answer = await (try TestOrigin(video)).get("/stream/\(video.id)/manifest.mpd")
        #expect(answer.status == .internalServerError)
    }

    @Test("both forms of a video's id are the same video")
    func compactID() async throws {
        let video = FakeVideo()
        let origin = try TestOrigin(video)
        #expect(await origin.get("/stream/\(video.id.compact)/master.m3u8").status == .ok)
        #expect(await origin.get("/stream/nonsense/master.m3u8").status == .badRequest)
        #expect(await origin.get("/stream/\(VideoID())/master.m3u8").status == .notFound)
    }

    @Test("a segment is assembled once, and then answered from memory")
    func cached() async throws {
        let video = FakeVideo()
        let origin = try TestOrigin(video)
        let path = "/stream/\(video.id)/source/segment-00001.m4s"
        let first = try await origin.get(path).collect()
        let calls = video.chunkCalls
        #expect(calls > 0)
        #expect(try await origin.get(path).collect() == first)
        #expect(video.chunkCalls == calls)
        #expect(video.layoutCalls == 1)
    }

    @Test(
        "what was asked for before is answered at once, whole by the same prepared answer",
        arguments: [
            "master.m3u8", "qualities", "thumbnail.jpg", "source/playlist.m3u8", "source/init.mp4",
            "source/segment-00000.m4s",
        ])
    func hot(asset: String) async throws {
        let video = FakeVideo()
        let origin = try TestOrigin(video)
        let path = "/stream/\(video.id)/\(asset)"
        #expect(try origin.prepared(path) == nil)
        let first = await origin.get(path)
        let prepared = try #require(try origin.prepared(path))
        #expect(try origin.prepared(path) === prepared)
        #expect(try await prepared.response.collect() == first.collect())
        let tag = try #require(first.headers["ETag"])
        guard case .respond(let unchanged) = try origin.reply(path, ["If-None-Match": tag]),
            case .respond(let part) = try origin.reply(path, ["Range": "bytes=1-2"])
        else {
            Issue.record("a condition is not answered at once")
            return
        }
        #expect(unchanged.status == .notModified)
        #expect(try await part.collect() == Array(first.collect()[1...2]))
    }

    @Test(
        "a change to the video reaches what is answered from memory, and a segment that is the same is not read again")
    func changed() async throws {
        let video = FakeVideo()
        let time = TestTime()
        let origin = try TestOrigin(video, time: time)
        let paths = ["master.m3u8", "source/segment-00000.m4s"].map { "/stream/\(video.id)/\($0)" }
        for path in paths { _ = await origin.get(path) }
        let calls = video.chunkCalls
        video.change { layout in
            VideoLayout(
                video: layout.video, original: layout.original,
                renditions: layout.renditions.map { plain in
                    RenditionMessage(
                        stream: plain.stream, width: 640, height: 360, codecs: plain.codecs, frameRate: 25,
                        bandwidth: plain.bandwidth, averageBandwidth: plain.averageBandwidth,
                        initializationBytes: plain.initializationBytes, segments: plain.segments)
                }, streams: layout.streams)
        }
        time.pass(StreamingOrigin.layoutLifetime)
        #expect(try await origin.get(paths[0]).text().contains("640x360"))
        #expect(await origin.get(paths[1]).status == .ok)
        #expect(video.chunkCalls == calls)
        for path in paths { #expect(try origin.prepared(path) != nil) }
        video.set(status: .deleted)
        time.pass(StreamingOrigin.layoutLifetime)
        for path in paths { #expect(await origin.get(path).status == .notFound) }
    }

    @Test("what is hot stays so while nothing changes, and while the metadata service is down")
    func staysHot() async throws {
        let video = FakeVideo()
        let time = TestTime()
        let origin = try TestOrigin(video, time: time)
        let path = "/stream/\(video.id)/source/segment-00000.m4s"
        _ = await origin.get(path)
        for failure in [nil, Failure(.unavailable, "down")] {
            video.set(failure: failure)
            time.pass(StreamingOrigin.layoutLifetime)
            #expect(try origin.prepared(path) == nil)
            #expect(await origin.get(path).status == .ok)
            #expect(try origin.prepared(path) != nil)
        }
        #expect(video.layoutCalls == 3)
    }

    @Test("many who ask for the same segment at once cause one read of each chunk")
    func coalesced() async throws {
        let video = FakeVideo()
        let origin = try TestOrigin(video)
        let path = "/stream/\(video.id)/source/segment-00000.m4s"
        await withTaskGroup(of: HTTPStatus.self) { group in
            for _ in 0..<50 { group.addTask { await origin.get(path).status } }
            for await status in group { #expect(status == .ok) }
        }
        // Bytes 100 to 1100 lie in chunks 0 to 3.
        #expect(video.chunkCalls == 4)
        #expect(video.layoutCalls == 1)
    }

    @Test("If-None-Match and HEAD are answered without reading a chunk; Range gives the part")
    func conditional() async throws {
        let video = FakeVideo()
        let origin = try TestOrigin(video)
        let path = "/stream/\(video.id)/source/segment-00000.m4s"
        let head = await origin.get(path, method: .head)
        let tag = try #require(head.headers["ETag"])
        #expect(head.status == .ok)
        #expect(await origin.get(path, ["If-None-Match": tag]).status == .notModified)
        #expect(video.chunkCalls == 0)
        let part = await origin.get(path, ["Range": "bytes=10-19"])
        #expect(part.status == .partialContent)
        #expect(part.headers["Content-Range"] == "bytes 10-19/1000")
        #expect(try await part.collect() == Array(video.bytes[.source]![110..<120]))
        let other = await origin.get("/stream/\(video.id)/source/segment-00001.m4s", method: .head)
        #expect(other.headers["ETag"] != tag)
        let playlist = await origin.get("/stream/\(video.id)/source/playlist.m3u8")
        let unchanged = await origin.get(
            "/stream/\(video.id)/source/playlist.m3u8", ["If-None-Match": playlist.headers["ETag"] ?? ""])
        #expect(unchanged.status == .notModified)
    }

    @Test("the original comes bit for bit, whole and by range, under its own checksum")
    func original() async throws {
        let video = FakeVideo()
        let origin = try TestOrigin(video)
        let path = "/stream/\(video.id)/original"
        let whole = await origin.get(path)
        #expect(whole.status == .ok)
        #expect(whole.headers["Content-Type"] == "video/mp4")
        #expect(
            whole.headers["Content-Disposition"]
                == "inline; filename=\"holiday.mp4\"; filename*=UTF-8''holiday.mp4")
        #expect(try await whole.collect() == video.bytes[.original])
        for (header, range) in [("bytes=0-0", 0..<1), ("bytes=299-301", 299..<302), ("bytes=-34", 1200..<1234)] {
            let part = await origin.get(path, ["Range": header])
            #expect(part.status == .partialContent)
            #expect(try await part.collect() == Array(video.bytes[.original]![range]))
        }
        #expect(await origin.get(path, ["Range": "bytes=1234-"]).status == .rangeNotSatisfiable)
        let tag = try #require(whole.headers["ETag"])
        #expect(await origin.get(path, ["If-None-Match": tag]).status == .notModified)
        let head = await origin.get(path, method: .head)
        guard case .stream(length: 1234, _) = head.body else {
            Issue.record("HEAD does not tell the length")
            return
        }
    }

    @Test(
        "a file's name and type cannot break a header or run as a page",
        arguments: [
            ("a\"b\\c.mp4", "inline; filename=\"a_b_c.mp4\"; filename*=UTF-8''a%22b%5Cc.mp4"),
            (
                "x\r\nSet-Cookie: a=b",
                "inline; filename=\"x__Set-Cookie: a=b\"; filename*=UTF-8''x%0D%0ASet-Cookie%3A%20a%3Db"
            ),
            ("Ü 1.mp4", "inline; filename=\"_ 1.mp4\"; filename*=UTF-8''%C3%9C%201.mp4"),
            ("", "inline; filename=\"video\"; filename*=UTF-8''video"),
        ])
    func hostileName(name: String, disposition: String) async throws {
        let original = FakeVideo.original([1, 2, 3], filename: name, type: "text/html")
        let video = FakeVideo(original: original)
        let answer = await (try TestOrigin(video)).get("/stream/\(video.id)/original", method: .head)
        #expect(answer.headers["Content-Disposition"] == disposition)
        #expect(answer.headers["Content-Type"] == "application/octet-stream")
        #expect(answer.headers["X-Content-Type-Options"] == "nosniff")
    }

    @Test("an asset too large for the cache is streamed, and nothing of it is kept")
    func large() async throws {
        let size = 5001
        let video = FakeVideo(segmentBytes: size, chunkBytes: 500)
        let origin = try TestOrigin(video, cachedAssetBytesMax: size - 1)
        let path = "/stream/\(video.id)/source/segment-00000.m4s"
        let answer = await origin.get(path)
        guard case .stream(let length, _) = answer.body else {
            Issue.record("the segment came as one")
            return
        }
        #expect(length == size)
        // The first piece and what is read ahead, not the whole.
        #expect(video.chunkCalls <= 4)
        #expect(try await answer.collect() == Array(video.bytes[.source]![100..<100 + size]))
        let calls = video.chunkCalls
        _ = try await origin.get(path).collect()
        #expect(video.chunkCalls == 2 * calls)
    }

    @Test("the qualities have the shape of the contract")
    func qualities() async throws {
        let video = FakeVideo()
        let text = try await (try TestOrigin(video)).get("/stream/\(video.id)/qualities").text()
        #expect(
            text
                == #"{"available":["source"],"master":"/stream/\#(video.id)/master.m3u8","original_quality_label":"1080p","#
                + #""original_resolution":"1920x1080","qualities":{"original":{"file":"/stream/\#(video.id)/original","#
                + #""quality_label":"1080p","resolution":"1920x1080"},"source":{"average_bandwidth":7500000,"#
                + #""bandwidth":8000000,"playlist":"/stream/\#(video.id)/source/playlist.m3u8","resolution":"1920x1080"}}}"#
        )
    }

    @Test("the thumbnail is a JPEG of its own stream")
    func thumbnail() async throws {
        let video = FakeVideo()
        let answer = await (try TestOrigin(video)).get("/stream/\(video.id)/thumbnail.jpg")
        #expect(answer.headers["Content-Type"] == "image/jpeg")
        #expect(try await answer.collect() == video.bytes[.thumbnail])
    }

    @Test(
        "what does not exist is 404 and says what does",
        arguments: [
            "source/segment-00002.m4s", "source/segment-0.m4s", "source/segment-000000.m4s", "source/segment--0001.m4s",
            "source/segment-99999999999999999999.m4s", "source/other.txt", "720p/playlist.m3u8", "720p/init.mp4",
            "index.html", "a/b/c/d",
        ])
    func missing(asset: String) async throws {
        let video = FakeVideo()
        let answer = await (try TestOrigin(video)).get("/stream/\(video.id)/\(asset)")
        #expect(answer.status == .notFound)
        let detail = try await answer.text()
        #expect(detail.contains("it has: ") || detail.contains("its files are "))
        #expect(video.chunkCalls == 0)
    }

    @Test("a video that is not active says why it cannot be played")
    func notPlayable() async throws {
        let cases: [(VideoStatus, String?, HTTPStatus, String)] = [
            (.uploading, nil, .conflict, "still being uploaded"),
            (.failed, "no video stream", .conflict, "no video stream"),
            (.deleted, nil, .notFound, "was deleted"),
        ]
        for (status, error, expected, words) in cases {
            let video = FakeVideo()
            video.set(status: status, error: error)
            let origin = try TestOrigin(video)
            for asset in ["master.m3u8", "original", "source/segment-00000.m4s", "qualities", "thumbnail.jpg", "x"] {
                let answer = await origin.get("/stream/\(video.id)/\(asset)")
                #expect(answer.status == expected)
                #expect(try await answer.text().contains(words))
            }
        }
    }

    @Test("chunks that nobody can give are 503, before anything else was said")
    func unreadable() async throws {
        let video = FakeVideo()
        video.loseChunks()
        let origin = try TestOrigin(video)
        for asset in ["original", "source/segment-00000.m4s", "source/init.mp4", "thumbnail.jpg"] {
            #expect(await origin.get("/stream/\(video.id)/\(asset)").status == .serviceUnavailable)
        }
    }

    @Test("an original that is still being stored says so, while the rest plays")
    func originalFollows() async throws {
        let video = FakeVideo(original: FakeVideo.original([UInt8](repeating: 1, count: 900)))
        video.change { layout in
            VideoLayout(
                video: layout.video, original: layout.original, renditions: layout.renditions,
                streams: layout.streams.map { stream in
                    stream.stream == .original
                        ? StreamMessage(stream: .original, chunks: Array(stream.chunks.dropLast())) : stream
                })
        }
        let origin = try TestOrigin(video)
        let answer = await origin.get("/stream/\(video.id)/original")
        #expect(answer.status == .conflict)
        #expect(try await answer.text().contains("still being stored"))
        #expect(await origin.get("/stream/\(video.id)/source/segment-00000.m4s").status == .ok)
    }

    @Test("a layout whose numbers make no sense is an error and no trap")
    func absurdLayout() async throws {
        let original = FakeVideo.original([1, 2, 3])
        for size in [0, -1, Int.min] {
            let bad = OriginalMessage(
                filename: "a", contentType: "video/mp4", sizeBytes: size, checksum: original.checksum, width: 0,
                height: 0, qualityLabel: "")
            let video = FakeVideo()
            let layout = video.layoutNow
            let broken = BrokenLayout(
                layout: VideoLayout(
                    video: layout.video, original: bad, renditions: layout.renditions, streams: layout.streams))
            let origin = StreamingOrigin(layouts: broken, chunks: video, cacheBytes: 0)
            let configuration = try StreamingConfiguration(settings: Settings(environment: [:]))
            var router = Router()
            StreamingService(configuration: configuration, origin: origin).addRoutes(to: &router)
            let answer = await TestOrigin(router: router).get("/stream/\(video.id)/original")
            #expect(answer.status == .internalServerError)
        }
    }

    @Test("without settings the defaults hold, and a bad one is named")
    func configuration() throws {
        let plain = try StreamingConfiguration(settings: Settings(environment: [:]))
        #expect(plain.metadataURL == "http://localhost:8080")
        #expect(plain.cacheBytes == 256 * ByteCount.mebibyte)
        #expect(throws: Failure.self) {
            try StreamingConfiguration(settings: Settings(environment: ["STREAM_CACHE_BYTES": "lots"]))
        }
        #expect(throws: Failure.self) {
            try StreamingConfiguration(settings: Settings(environment: ["METADATA_SERVICE_URL": "localhost"]))
        }
    }
}

private struct BrokenLayout: LayoutSource {
    let layout: VideoLayout
    func layout(_ id: VideoID, unless known: EntityTag?) async throws -> TaggedLayout? {
        TaggedLayout(layout: layout, tag: EntityTag("broken"))
    }
}
