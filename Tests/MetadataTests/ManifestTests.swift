import Base
import HTTPTypes
import MetadataAPI
import Testing

@testable import Metadata

@Suite("Manifest")
struct ManifestTests {
    @Test("the manifest lists the source's chunks in order, with checksums, times and replicas")
    func content() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            for sequence in [2, 0, 1] { try await upload.putAndCommit(sequence..<sequence + 1) }
            try await upload.putAndCommit(0..<1, stream: .thumbnail)
            let answer = try await harness.call(.get, "/manifest/\(upload.id)")
            let manifest: Manifest = try answer.decoded()
            #expect(manifest.chunks.map(\.chunkId) == (0..<3).map { upload.chunk($0) })
            #expect(manifest.chunks.map(\.startSec) == [0, 10, 20])
            #expect(manifest.totalChunks == 3)
            #expect(manifest.chunkSizeBytes == 2_097_152 && manifest.chunkDurationSec == 10)
            #expect(manifest.chunks.allSatisfy { Set($0.replicas) == Set(upload.urls) })
            #expect(Set(manifest.chunks.compactMap(\.replicas.first)).count == 3, "first choices are spread")
            #expect(answer.text.contains(#""checksum":"sha256:0101"#))
            #expect(answer.text.contains(#""redundancy_mode":"replication""#))
            #expect(try await harness.call(.get, "/manifest/\(VideoID())").status == 404)
            #expect(try await harness.call(.get, "/manifest/nonsense").status == 400)
        }
    }

    @Test("the second reader is answered at once, and a 304 needs no body")
    func cached() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            try await upload.putAndCommit(0..<2)
            let first = try await harness.call(.get, "/manifest/\(upload.id)")
            let second = try await harness.call(.get, "/manifest/\(upload.id)")
            #expect(!first.isImmediate && second.isImmediate)
            #expect(first.body == second.body)
            let tag = try #require(second.headers["ETag"])
            #expect(first.headers["ETag"] == tag)
            let third = try await harness.call(.get, "/manifest/\(upload.id)", headers: ["If-None-Match": tag])
            #expect(third.status == 304 && third.body.isEmpty && third.isImmediate)
            #expect(harness.service.counters.manifestsRendered.value == 1)
        }
    }

    @Test("every change to the video makes it anew")
    func invalidation() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            func manifest() async throws -> Manifest {
                _ = try await harness.call(.get, "/manifest/\(upload.id)")
                let answer = try await harness.call(.get, "/manifest/\(upload.id)")
                #expect(answer.isImmediate)
                return try answer.decoded()
            }
            #expect(try await manifest().chunks.isEmpty)
            try await upload.putAndCommit(0..<1)
            #expect(try await manifest().chunks.count == 1)
            _ = try await harness.call(.patch, "/video/\(upload.id)/status", StatusRequest(status: .active))
            #expect(try await manifest().status == .active)
            #expect(try await harness.call(.delete, "/video/\(upload.id)").status == 204)
            #expect(try await harness.call(.get, "/manifest/\(upload.id)").status == 404)
        }
    }

    @Test("a node that goes down, moves, or reports a corrupt chunk changes the order or the URL")
    func nodes() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            try await upload.putAndCommit(0..<1)
            func replicas() async throws -> [String] {
                let manifest: Manifest = try await harness.call(.get, "/manifest/\(upload.id)").decoded()
                return try #require(manifest.chunks.first).replicas
            }
            let before = try await replicas()
            harness.clock.advance(seconds: 20)
            for number in 1...2 {
                _ = try await harness.call(
                    .post, "/nodes/node-\(number + 1)/heartbeat", HeartbeatRequest(diskUsagePercent: 1, chunkCount: 1))
            }
            #expect(try await replicas() == before)
            harness.clock.advance(seconds: 15)
            #expect(try await replicas().last == Harness.url(0), "silent for 35 s")
            _ = try await harness.call(
                .post, "/nodes/node-2/heartbeat",
                HeartbeatRequest(diskUsagePercent: 1, chunkCount: 1, corruptChunks: [upload.chunk(0)]))
            #expect(try await replicas() == [Harness.url(2), Harness.url(0), Harness.url(1)])
            let moved = try #require(NodeID("node-3"))
            _ = try await harness.call(
                .post, "/nodes/register",
                RegisterNodeRequest(nodeUrl: "https://elsewhere:9/", nodeId: moved, version: nil))
            #expect(try await replicas().first == "https://elsewhere:9")
        }
    }

    @Test("clients outside see external URLs, services inside do not, and the switch turns it off")
    func translation() async throws {
        var environment = ["EXTERNAL_URL_MAP": "http://node-1:8081=https://cdn.example/one,http://node-9=http://x"]
        for (isOn, seen) in [("true", "https://cdn.example/one"), ("false", Harness.url(0))] {
            environment["ENABLE_EXTERNAL_TRANSLATION"] = isOn
            try await Harness.run(environment: environment) { harness in
                let upload = try await Upload(harness)
                let value = try upload.value(0)
                try upload.put(value)
                #expect(try await upload.commit(value, urls: [seen, Harness.url(1)]).status == 200)
                let manifest: Manifest = try await harness.call(.get, "/manifest/\(upload.id)").decoded()
                #expect(manifest.chunks.first?.replicas.contains(seen) == true)
                let layout: VideoLayout = try await harness.call(.get, "/video/\(upload.id)/layout").decoded()
                #expect(layout.chunks(of: .source).first?.replicas.contains(Harness.url(0)) == true)
            }
        }
    }

    @Test("what was read before a change is not kept after it")
    func staleRendering() {
        let cache = ManifestCache()
        let id = VideoID()
        let entry = ManifestCache.Entry(Array("old".utf8))
        let ticket = cache.beginRendering(id, nodesVersion: 1)
        cache.invalidate(id)
        cache.insert(entry, for: id, ticket)
        #expect(cache.find(id, nodesVersion: 1) == nil)
        cache.insert(entry, for: id, cache.beginRendering(id, nodesVersion: 1))
        #expect(cache.find(id, nodesVersion: 1)?.tag == entry.tag)
        #expect(cache.find(id, nodesVersion: 2) == nil)
    }

    @Test("the cache stays within its bytes and drops what was not used for longest")
    func bounded() {
        let cache = ManifestCache(sizeBytesMax: 1000)
        let ids = (0..<20).map { _ in VideoID() }
        for id in ids {
            cache.insert(
                ManifestCache.Entry([UInt8](repeating: 1, count: 100)), for: id,
                cache.beginRendering(id, nodesVersion: 0))
            _ = cache.find(ids[0], nodesVersion: 0)
        }
        let kept = ids.filter { cache.find($0, nodesVersion: 0) != nil }
        #expect(kept.count <= 10 && kept.count >= 7)
        #expect(kept.contains(ids[0]) && kept.contains(ids[19]))
        let large = VideoID()
        cache.insert(
            ManifestCache.Entry([UInt8](repeating: 1, count: 1001)), for: large,
            cache.beginRendering(large, nodesVersion: 0))
        #expect(cache.find(large, nodesVersion: 0) == nil)
    }
}
