import Base
import ChunkStore
import Digests
import Foundation
import HTTPTypes
import Hosting
import StorageNodeAPI
import Testing

@testable import StorageNode

@Suite("Chunks over HTTP")
struct ChunkRoutesTests {
    private let content: [UInt8] = (0..<5000).map { UInt8(truncatingIfNeeded: $0 * 31) }
    private var hex: String { SHA256.digest(of: content).hex }

    @Test("PUT and POST store: 201 with the headers, 200 when it is there, 409 for other bytes")
    func store() async throws {
        let node = try TestNode()
        for method in [HTTPMethod.put, .post] {
            let path = "/chunk/a-\(method.rawValue)"
            let created = try await node.send(method, path, body: content)
            #expect(created.status == .created)
            #expect(created.headers["Location"] == path)
            #expect(created.headers["ETag"] == "\"\(hex)\"")
            #expect(created.headers["X-Chunk-Size"] == "5000")
            #expect(try await node.send(method, path, body: content).status == .ok)
            let conflict = try await node.send(method, path, body: [1])
            #expect(conflict.status == .conflict)
            #expect(conflict.detail?.contains("a-\(method.rawValue)") == true)
            #expect(try await node.send(.get, path).bytes == content)
        }
    }

    @Test("GET and HEAD carry the same headers; HEAD knows the length")
    func read() async throws {
        let node = try TestNode()
        _ = try await node.send(.put, "/chunk/a", body: content)
        for method in [HTTPMethod.get, .head] {
            let answer = try await node.send(method, "/chunk/a")
            #expect(answer.status == .ok)
            #expect(answer.headers["ETag"] == "\"\(hex)\"")
            #expect(answer.headers["X-Chunk-Size"] == "5000")
            #expect(answer.headers["X-Superblock-ID"] == "1")
            #expect(answer.headers["Content-Type"] == "application/octet-stream")
            #expect(answer.headers["Cache-Control"]?.contains("immutable") == true)
            #expect(answer.bytes.count == 5000)
            #expect(try await node.send(method, "/chunk/other").status == .notFound)
        }
    }

    @Test("ranges and conditions: 206, 416, 304")
    func conditions() async throws {
        let node = try TestNode()
        _ = try await node.send(.put, "/chunk/a", body: content)
        let part = try await node.send(.get, "/chunk/a", headers: ["Range": "bytes=10-19"])
        #expect(part.status == .partialContent)
        #expect(part.bytes == Array(content[10..<20]))
        #expect(part.headers["Content-Range"] == "bytes 10-19/5000")
        #expect(try await node.send(.get, "/chunk/a", headers: ["Range": "bytes=5000-"]).status == .rangeNotSatisfiable)
        for tag in ["\"\(hex)\"", hex] {
            let same = try await node.send(.get, "/chunk/a", headers: ["If-None-Match": tag])
            #expect(same.status == .notModified && same.bytes.isEmpty)
        }
    }

    @Test("bad ids, bodies and checksums are refused in words, and nothing is stored")
    func refusals() async throws {
        let node = try TestNode(["MAX_CHUNK_SIZE": "6000"])
        func expect(_ status: HTTPStatus, _ answer: Response) {
            #expect(answer.status == status && answer.detail?.isEmpty == false)
        }
        expect(.badRequest, try await node.send(.put, "/chunk/a.b", body: content))
        expect(.badRequest, try await node.send(.put, "/chunk/\(String(repeating: "a", count: 65))", body: content))
        expect(.badRequest, try await node.send(.get, "/chunk/..%2f", body: []))
        let large = [UInt8](repeating: 1, count: 6001)
        expect(.contentTooLarge, try await node.send(.put, "/chunk/a", body: large))
        expect(.contentTooLarge, try await node.send(.put, "/chunk/a", body: large, announced: false))
        expect(.badRequest, try await node.send(.put, "/chunk/a", body: []))
        expect(.badRequest, try await node.send(.put, "/chunk/a", body: [], announced: false))
        let wrong = SHA256.digest(of: [1]).hex
        for header in [wrong, "sha256:\(wrong)", "xyz"] {
            expect(
                .badRequest, try await node.send(.put, "/chunk/a", headers: ["X-Chunk-Checksum": header], body: content)
            )
        }
        #expect(try await node.send(.head, "/chunk/a").status == .notFound)
        for header in [hex, hex.uppercased(), "sha256:\(hex)", "\"\(hex)\""] {
            let answer = try await node.send(.put, "/chunk/a", headers: ["X-Chunk-Checksum": header], body: content)
            #expect(answer.status.isSuccess)
        }
    }

    @Test("DELETE is 204, then 404, and the id can be stored again")
    func delete() async throws {
        let node = try TestNode()
        _ = try await node.send(.put, "/chunk/a", body: content)
        #expect(try await node.send(.delete, "/chunk/a").status == .noContent)
        #expect(try await node.send(.delete, "/chunk/a").status == .notFound)
        #expect(try await node.send(.get, "/chunk/a").status == .notFound)
        #expect(try await node.send(.put, "/chunk/a", body: [9]).status == .created)
    }

    @Test("a disk over its limit refuses writes with 507 and keeps serving reads")
    func fullDisk() async throws {
        let node = try TestNode(["DISK_CRITICAL_PERCENT": "9"])
        #expect(try await node.send(.put, "/chunk/a", body: content).status == .insufficientStorage)
        let roomy = try TestNode(["DISK_CRITICAL_PERCENT": "10"])
        #expect(try await roomy.send(.put, "/chunk/a", body: content).status == .created)
    }

    @Test("a damaged chunk is 500, is named in words and in the health, and is never sent")
    func damage() async throws {
        let node = try TestNode()
        _ = try await node.send(.put, "/chunk/a", body: content)
        #expect(await node.service.health().status == "healthy")
        let path = "\(node.directory)/superblocks/000001.vsb"
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        var bytes = try #require(try file.readToEnd())
        let place = try #require(bytes.firstRange(of: content[..<64])).lowerBound
        bytes[place] ^= 1
        try file.seek(toOffset: UInt64(place))
        try file.write(contentsOf: [bytes[place]])
        let answer = try await node.send(.get, "/chunk/a")
        #expect(answer.status == .internalServerError && answer.detail?.contains("'a'") == true)
        let health = await node.service.health()
        #expect(health.status == "degraded")
        #expect(node.service.store.corruptChunks.map(\.description) == ["a"])
    }

    @Test("HEAD and GET /ping say who answers, how full it is, and how quick it was")
    func ping() async throws {
        let node = try TestNode(["NODE_ID": "node-7"], diskPercent: 45.23)
        _ = try await node.send(.put, "/chunk/a", body: content)
        for method in [HTTPMethod.get, .head] {
            let answer = try await node.send(method, "/ping")
            #expect(answer.status == .ok)
            #expect(answer.headers["X-Node-ID"] == "node-7")
            #expect(answer.headers["X-Disk-Usage-Percent"] == "45.2")
            #expect(answer.headers["X-Chunk-Count"] == "1")
            #expect(answer.headers["X-Response-Time"].flatMap(Double.init) != nil)
            #expect(answer.headers["Cache-Control"] == "no-cache")
        }
        #expect(PingRoutes.milliseconds(hundredths: 1_203) == "12.03")
        #expect(PingRoutes.milliseconds(hundredths: 4) == "0.04")
    }

    @Test("health is a word and its reason: warning from 85 %, critical over 95 %")
    func health() async throws {
        for (percent, status) in [(84.9, "healthy"), (85, "warning"), (95, "warning"), (95.1, "critical")] {
            let report = await (try TestNode(diskPercent: percent)).service.health()
            #expect(report.status == status, "\(percent)")
            #expect((report.fields["reason"] == nil) == (status == "healthy"))
            #expect(report.fields["chunk_count"] != nil && report.fields["uptime"] != nil)
        }
    }
}
