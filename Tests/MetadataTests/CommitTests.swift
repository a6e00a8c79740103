import Base
import ChunkPaxos
import HTTPTypes
import MetadataAPI
import Testing

@testable import Metadata

@Suite("Commit")
struct CommitTests {
    @Test("a chunk accepted under ballot 0 is learned, recorded, and committed again for the asking")
    func creator() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            let value = try upload.value(0)
            try upload.put(value)
            let answer = try await upload.commit(value)
            let response: CommitResponse = try answer.decoded()
            #expect(answer.status == 200)
            #expect(response.success)
            #expect(Set(response.committedNodes) == Set(upload.urls))
            let reads = harness.cluster.readCount
            #expect(try await upload.commit(value).status == 200)
            #expect(harness.cluster.readCount == reads, "a known chunk needs no acceptor")
            #expect(harness.cluster.acceptor(upload.chunk(0), at: upload.urls[0])?.accepted?.ballot.round == 0)
        }
    }

    @Test("a majority is enough, and a node that comes later joins the replicas")
    func majority() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            let value = try upload.value(0)
            let (two, third) = (Array(upload.urls.prefix(2)), upload.urls[2])
            harness.cluster.setUp(third, false)
            try upload.put(value, at: two)
            let first: CommitResponse = try await upload.commit(value, urls: two).decoded()
            #expect(Set(first.committedNodes) == Set(two))
            harness.cluster.setUp(third, true)
            try upload.put(value, at: [third])
            let second: CommitResponse = try await upload.commit(value).decoded()
            #expect(Set(second.committedNodes) == Set(upload.urls))
        }
    }

    @Test("one acceptor is no majority: 409 names the nodes that lack the bytes")
    func minority() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            let value = try upload.value(0)
            try upload.put(value, at: [upload.urls[0]])
            let answer = try await upload.commit(value)
            #expect(answer.status == 409)
            #expect(!answer.detail.contains(upload.urls[0]))
            #expect(answer.detail.contains(upload.urls[1]) && answer.detail.contains(upload.urls[2]))
            #expect(try await manifest(upload).chunks.isEmpty)
        }
    }

    @Test("no majority answering is 503 that names the silent nodes; when they are back it goes on")
    func silence() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            let value = try upload.value(0)
            try upload.put(value)
            for url in upload.urls.prefix(2) { harness.cluster.setUp(url, false) }
            let answer = try await upload.commit(value)
            #expect(answer.status == 503)
            #expect(answer.detail.contains(upload.urls[0]) && answer.detail.contains(upload.urls[1]))
            harness.cluster.setUp(upload.urls[0], true)
            #expect(try await upload.commit(value).status == 200)
        }
    }

    @Test("where one holder is silent and another node lacks the bytes, it is 503: a majority may hold them")
    func silentHolder() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            let value = try upload.value(0)
            try harness.cluster.put(upload.chunk(0), try upload.stored(), at: Array(upload.urls.prefix(2)))
            harness.cluster.setUp(upload.urls[1], false)
            #expect(try await upload.commit(value).status == 503)
        }
    }

    @Test("plain PUTs are agreed by this service as a proposer")
    func plainPut() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            let value = try upload.value(0)
            try harness.cluster.put(upload.chunk(0), try upload.stored(), at: upload.urls)
            #expect(try await upload.commit(value).status == 200)
            let accepted = upload.urls.compactMap { harness.cluster.acceptor(upload.chunk(0), at: $0)?.accepted }
            #expect(accepted.count >= 2)
            #expect(accepted.allSatisfy { $0.ballot.round >= 1 && $0.value == (try? value.encoded()) })
            #expect(try await manifest(upload).chunks.first?.durationSec == 10)
        }
    }

    @Test("a rival's higher promises are outbid, and a rival without end is 503")
    func contention() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            for sequence in 0...1 {
                try harness.cluster.put(upload.chunk(sequence), try upload.stored(), at: upload.urls)
            }
            harness.cluster.forestall(5)
            #expect(try await upload.commit(try upload.value(0)).status == 200)
            harness.cluster.forestall(.max)
            let answer = try await upload.commit(try upload.value(1))
            #expect(answer.status == 503)
            #expect(answer.detail.contains("attempts"))
        }
    }

    @Test("an accepted value without a majority is finished, not replaced")
    func finishesOther() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            let value = try upload.value(0)
            try upload.put(value, at: [upload.urls[2]])
            try harness.cluster.put(upload.chunk(0), try upload.stored(), at: Array(upload.urls.prefix(2)))
            #expect(try await upload.commit(value).status == 200)
            let accepted = upload.urls.compactMap { harness.cluster.acceptor(upload.chunk(0), at: $0)?.accepted }
            #expect(Set(accepted.map(\.value)) == [try value.encoded()])
        }
    }

    @Test("another value is 409 with the chosen one, whether the catalog knows it yet or not")
    func conflict() async throws {
        struct Conflict: Decodable {
            let detail: String
            let chosen: ChunkValue
        }
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            let (value, other) = (try upload.value(0), try upload.value(0, byte: 2))
            try upload.put(value)
            for _ in 0..<2 {
                let answer = try await upload.commit(other)
                let conflict: Conflict = try answer.decoded()
                #expect(answer.status == 409)
                #expect(conflict.chosen == value)
                #expect(conflict.detail.contains(value.checksum.tagged))
                #expect(try await upload.commit(value).status == 200)
            }
        }
    }

    @Test("a node outside the group is 409 that names the group")
    func outsider() async throws {
        try await Harness.run(nodes: 5) { harness in
            let upload = try await Upload(harness)
            let outsider = try #require((0..<5).map(Harness.url).first { !upload.urls.contains($0) })
            let value = try upload.value(0)
            try upload.put(value)
            let answer = try await upload.commit(value, urls: [upload.urls[0], outsider])
            #expect(answer.status == 409)
            #expect(answer.detail.contains(upload.created.placementGroup.id) && answer.detail.contains(outsider))
        }
    }

    @Test("another node at a member's address has no voice")
    func impostor() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            let value = try upload.value(0)
            try upload.put(value, at: Array(upload.urls.prefix(2)))
            let stranger = try #require(NodeID("stranger"))
            harness.cluster.change(upload.urls[0]) { $0.id = stranger }
            let answer = try await upload.commit(value)
            #expect(answer.status == 503)
            #expect(answer.detail.contains("stranger"))
        }
    }

    @Test("many commits at once all succeed, also of one chunk")
    func parallel() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            for sequence in 0..<20 {
                try harness.cluster.put(upload.chunk(sequence), try upload.stored(), at: upload.urls)
            }
            try await withThrowingTaskGroup(of: Int.self) { group in
                for round in 0..<60 {
                    group.addTask { try await upload.commit(try upload.value(round % 20)).status }
                }
                for try await status in group { #expect(status == 200 || status == 503) }
            }
            for sequence in 0..<20 { #expect(try await upload.commit(try upload.value(sequence)).status == 200) }
            #expect(try await manifest(upload).totalChunks == 20)
        }
    }

    @Test("requests that cannot be right are refused with what is wrong")
    func badRequests() async throws {
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            let path = "/chunk/\(upload.chunk(0))/commit"
            let checksum = "sha256:" + String(repeating: "a", count: 64)
            func body(_ change: String...) -> [UInt8] {
                var fields = [
                    "node_urls": "[\"\(upload.urls[0])\"]", "checksum": "\"\(checksum)\"", "size_bytes": "100",
                    "video_id": "\"\(upload.id)\"", "sequence_num": "0",
                ]
                fields[change[0]] = change[1]
                return Array("{\(fields.map { "\"\($0)\":\($1)" }.joined(separator: ","))}".utf8)
            }
            for (field, text) in [
                ("size_bytes", "0"), ("sequence_num", "-1"), ("node_urls", "[]"), ("node_urls", "[\"ftp://x\"]"),
                ("checksum", "\"abc\""), ("redundancy_mode", "\"erasure_coding\""), ("start_sec", "-1"),
                ("video_id", "7"), ("sequence_num", "9223372036854775807"), ("duration_sec", "1e300"),
            ] {
                let answer = try await harness.call(.post, path, bytes: body(field, text))
                #expect(answer.status == 400, "\(field) \(text)")
                #expect(!answer.detail.isEmpty)
            }
            #expect(try await harness.call(.post, path, bytes: body("video_id", "\"\(VideoID())\"")).status == 404)
            #expect(try await harness.call(.post, path, bytes: Array("{".utf8)).status == 400)
            #expect(
                try await harness.call(.post, path, bytes: body("fragments_metadata", "null")).status == 409,
                "the seed's own body, for bytes that no node has")
            _ = try await harness.call(.patch, "/video/\(upload.id)/status", StatusRequest(status: .failed))
            #expect(try await harness.call(.post, path, bytes: body("size_bytes", "100")).status == 409)
        }
    }

    @Test("GET /consensus shows the seed's fields and each acceptor")
    func consensus() async throws {
        struct Consensus: Decodable {
            struct Acceptor: Decodable {
                let nodeId: NodeID
                let error: String?
                let acceptedBallot: Ballot?
            }
            let promisedBallot: Int?
            let acceptedValue: String?
            let phase: String
            let acceptors: [Acceptor]
        }
        try await Harness.run { harness in
            let upload = try await Upload(harness)
            let path = "/consensus/\(upload.chunk(0))"
            let before = try await harness.call(.get, path)
            #expect(before.text.contains("\"promised_ballot\":null") && before.text.contains("\"accepted_value\":null"))
            #expect(try before.decoded(Consensus.self).phase == "idle")
            let value = try upload.value(0)
            try upload.put(value)
            #expect(try await harness.call(.get, path).decoded(Consensus.self).phase == "chosen")
            _ = try await upload.commit(value)
            harness.cluster.setUp(upload.urls[1], false)
            let after: Consensus = try await harness.call(.get, path).decoded()
            #expect(after.phase == "committed")
            #expect(after.promisedBallot == 0)
            #expect(after.acceptedValue?.contains(upload.urls[0]) == true)
            #expect(after.acceptors.map { $0.error == nil } == [true, false, true])
            #expect(after.acceptors[0].acceptedBallot == upload.created.ballot)
            #expect(try await harness.call(.get, "/consensus/unheard-of").status == 404)
            #expect(try await harness.call(.get, "/consensus/a.b").status == 400)
            #expect(try await harness.call(.get, "/chunk/\(upload.chunk(0))/fragments").status == 200)
            #expect(try await harness.call(.get, "/chunk/\(upload.chunk(1))/fragments").status == 404)
        }
    }

    private func manifest(_ upload: Upload) async throws -> Manifest {
        try await upload.harness.call(.get, "/manifest/\(upload.id)").decoded()
    }
}
