import Base
import ChunkPaxos
import Digests
import HTTPTypes
import MetadataAPI
import StorageNodeAPI
import Testing

@testable import Metadata

@Suite("Rivals, and nodes whose disk was replaced")
struct RivalryTests {
    private let left = [UInt8](repeating: 1, count: 50)
    private let right = [UInt8](repeating: 2, count: 60)

    private func value(_ upload: Upload, _ bytes: [UInt8]) throws -> ChunkValue {
        ChunkValue(
            videoId: upload.id, stream: .source, sequence: 0, sizeBytes: bytes.count,
            checksum: SHA256.digest(of: bytes), group: upload.created.placementGroup.id,
            nodes: upload.created.placementGroup.nodes.map(\.nodeId),
            acceptors: upload.created.placementGroup.acceptors,
            startSec: 0, durationSec: 10)
    }

    private func bytes(_ upload: Upload, at url: String) -> [UInt8]? {
        upload.harness.cluster.node(url)?.stored[upload.chunk(0)]?.bytes
    }

    @Test("bytes of two uploaders at different nodes: one is chosen, copied over the other, and both are told")
    func split() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            try harness.cluster.put(upload.chunk(0), FakeCluster.Stored(left), at: [upload.urls[0]])
            try harness.cluster.put(upload.chunk(0), FakeCluster.Stored(right), at: Array(upload.urls.dropFirst()))
            #expect(try await upload.commit(try value(upload, left), urls: [upload.urls[0]]).status == 200)
            #expect(upload.urls.count { bytes(upload, at: $0) == left } >= 2)
            let loser = try await upload.commit(try value(upload, right), urls: Array(upload.urls.dropFirst()))
            #expect(loser.status == 409)
            #expect(loser.text.contains(SHA256.digest(of: left).hex))
        }
    }

    @Test("two who commit different values again and again at once: each gets an answer, and it is the same value")
    func duel() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            try harness.cluster.put(upload.chunk(0), FakeCluster.Stored(left), at: [upload.urls[0]])
            try harness.cluster.put(upload.chunk(0), FakeCluster.Stored(right), at: [upload.urls[1]])
            let values = [try value(upload, left), try value(upload, right)]
            let statuses = try await withThrowingTaskGroup(of: (Int, Int).self) { group in
                for (side, value) in values.enumerated() {
                    group.addTask {
                        while true {
                            let status = try await upload.commit(value, urls: [upload.urls[side]]).status
                            if status != 503 { return (side, status) }
                        }
                    }
                }
                return try await group.reduce(into: [Int: Int]()) { $0[$1.0] = $1.1 }
            }
            #expect(statuses.values.sorted() == [200, 409])
            let winner = statuses[0] == 200 ? left : right
            #expect(upload.urls.count { bytes(upload, at: $0) == winner } >= 2)
        }
    }

    @Test("a value that somebody accepted, and whose bytes nobody gives any more, does not stop the chunk for ever")
    func lostBytes() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            let (lost, wanted) = (try value(upload, left), try value(upload, right))
            try harness.cluster.put(
                upload.chunk(0), FakeCluster.Stored(left), at: [upload.urls[0]],
                accepting: (Ballot(round: 1, proposer: 5), lost))
            harness.cluster.change(upload.urls[0]) { $0.hasLostBytes = true }
            try harness.cluster.put(upload.chunk(0), FakeCluster.Stored(right), at: Array(upload.urls.dropFirst()))
            #expect(try await upload.commit(wanted, urls: Array(upload.urls.dropFirst())).status == 200)
        }
    }

    @Test("with another disk a node has no vote in older groups: the others go on, and new videos name the new disk")
    func replacedDisk() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            let (first, second) = (try upload.value(0), try upload.value(1))
            try upload.put(first)
            #expect(try await upload.commit(first).status == 200)
            // Node 1 loses its disk; another proposal would be free to choose anything there.
            let disk = AcceptorID(high: 7, low: 7)
            harness.cluster.change(Harness.url(0)) { node in
                node.acceptorID = disk
                node.stored = [:]
            }
            try await harness.register(0, disk)

            let manifest: Manifest = try await harness.call(.get, "/manifest/\(upload.id)").decoded()
            #expect(manifest.chunks[0].replicas.count == 2 && !manifest.chunks[0].replicas.contains(Harness.url(0)))
            let others = upload.urls.filter { $0 != Harness.url(0) }
            try upload.put(second, at: others)
            #expect(try await upload.commit(second, urls: others).status == 200)
            // Its voice does not count: of the old members one is left, and that is no majority.
            harness.cluster.setUp(others[0], false)
            try upload.put(try upload.value(2), at: [others[1], Harness.url(0)])
            let minority = try await upload.commit(try upload.value(2), urls: [others[1]])
            #expect(minority.status == 503 && minority.detail.contains("disk was replaced"))
            harness.cluster.setUp(others[0], true)

            let shown = try await harness.call(.get, "/consensus/\(upload.chunk(0))").text
            #expect(shown.contains(disk.description) && shown.contains(Harness.acceptor(0).description))
            #expect(try await harness.call(.get, "/nodes/all").text.contains(disk.description))
            let next = try await Upload(harness)
            #expect(next.created.placementGroup.id != upload.created.placementGroup.id)
            #expect(next.created.placementGroup.acceptors?.contains(disk) == true)

            // The disk that was thought lost comes back.
            try await harness.register(0, Harness.acceptor(0))
            let again: Manifest = try await harness.call(.get, "/manifest/\(upload.id)").decoded()
            #expect(again.chunks[0].replicas.contains(Harness.url(0)))
        }
    }

    @Test("two services over one catalog: what one records the other shows at once, and their nodes are each other's")
    func twoServices() async throws {
        try await Harness.run { harness in
            try await harness.beside { other in
                let upload = try await Upload(harness)
                _ = try await other.call(.get, "/manifest/\(upload.id)")
                for sequence in 0..<4 {
                    let value = try upload.value(sequence)
                    try upload.put(value)
                    let service = sequence % 2 == 0 ? harness : other
                    let request = Upload(service, upload.created)
                    #expect(try await request.commit(value).status == 200)
                    for reader in [harness, other] {
                        let manifest: Manifest = try await reader.call(.get, "/manifest/\(upload.id)").decoded()
                        #expect(manifest.totalChunks == sequence + 1)
                    }
                }
                // Node 1 has no word with the other service; it is alive there all the same.
                harness.clock.advance(seconds: 20)
                let beat = HeartbeatRequest(diskUsagePercent: 33, chunkCount: 5)
                for node in 1...3 {
                    #expect(try await harness.call(.post, "/nodes/node-\(node)/heartbeat", beat).status == 200)
                }
                harness.clock.advance(seconds: 20)
                try await other.service.follower.pass()
                #expect(try await other.call(.get, "/nodes/healthy").text.contains("33"))
                _ = try await harness.call(.delete, "/video/\(upload.id)")
                #expect(try await other.call(.get, "/manifest/\(upload.id)").status == 404)
            }
        }
    }
}
