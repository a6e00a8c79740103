import Base
import ChunkStore
import Foundation
import HTTPTypes
import Hosting
import MetadataAPI
import Synchronization
import Testing

@testable import StorageNode

@Suite("Scrubbing and health over HTTP")
struct ScrubRoutesTests {
    private let content: [UInt8] = (0..<5000).map { UInt8(truncatingIfNeeded: $0 * 37) }

    private struct Report: Decodable {
        let status: String
        let bytesDone: Int
        let bytesTotal: Int
        let chunksDone: Int
        let chunksTotal: Int
        let bytesPerSecMax: Int
        let damagedFound: Int
        let corruptChunkCount: Int
        let corruptChunks: [ChunkID]
        let lastFinishedAt: Timestamp?
    }

    private func report(_ response: Response) throws -> Report { try JSON.decode(Report.self, from: response.bytes) }

    /// A node with chunks `a` and `b`, of which `a` is damaged on disk.
    private func damagedNode(_ variables: [String: String] = [:]) async throws -> TestNode {
        let node = try TestNode(variables)
        _ = try await node.send(.put, "/chunk/a", body: content)
        _ = try await node.send(.put, "/chunk/b", body: content.reversed())
        let file = try #require(FileHandle(forUpdatingAtPath: "\(node.directory)/superblocks/000001.vsb"))
        let bytes = try #require(try file.readToEnd())
        let place = try #require(bytes.firstRange(of: content[..<64])).lowerBound
        try file.seek(toOffset: UInt64(place + 100))
        try file.write(contentsOf: [~bytes[place + 100]])
        try file.synchronize()
        return node
    }

    @Test("POST /scrub begins a pass, GET /scrub shows it, and what it finds is in health, heartbeat and metrics")
    func scrub() async throws {
        let node = try await damagedNode(["SCRUB_BYTES_PER_SEC": "0"])
        try await node.service.start(url: "http://localhost:1")
        let before = try report(try await node.send(.get, "/scrub"))
        #expect(before.status == "off" && before.lastFinishedAt == nil && before.corruptChunkCount == 0)
        #expect(try await node.send(.post, "/scrub").status == .conflict)
        for rate in ["0", "fast", "-1"] {
            let answer = try await node.send(.post, "/scrub", query: [("bytes_per_sec", rate)])
            #expect(answer.status == .badRequest, "\(rate)")
        }
        let begun = try await node.send(.post, "/scrub", query: [("bytes_per_sec", "1000000000")])
        #expect(begun.status == .accepted)
        #expect(try report(begun).status == "running" && report(begun).bytesPerSecMax == 1_000_000_000)
        while node.service.scrubber.totals.passes == 0 { await Task.yield() }
        let after = try report(try await node.send(.get, "/scrub"))
        #expect(after.status == "off" && after.lastFinishedAt != nil)
        #expect(after.bytesDone == after.bytesTotal && after.bytesTotal > 10_000)
        #expect(after.chunksDone == 1 && after.chunksTotal == 2)
        #expect(after.damagedFound == 1 && after.corruptChunkCount == 1)
        #expect(after.corruptChunks.map(\.description) == ["a"])

        let refused = try await node.send(.get, "/chunk/a")
        #expect(refused.status == .internalServerError && refused.detail?.contains("another node") == true)
        #expect(try await node.send(.head, "/chunk/a").status == .internalServerError)
        #expect(try await node.send(.get, "/chunk/b").status == .ok)
        let health = await node.service.health()
        #expect(health.status == "degraded")
        guard case .texts(["a"]) = health.fields["corrupt"] else {
            Issue.record("health does not name the chunk")
            return
        }
        let metrics = node.service.metrics.exposition
        #expect(metrics.contains("vstack_storage_corrupt_chunks 1.0\n"))
        #expect(metrics.contains("vstack_storage_scrub_damaged_total 1\n"))
        #expect(metrics.contains("vstack_storage_scrub_passes_total 1\n"))

        #expect(try await node.send(.put, "/chunk/a", body: content).status == .created)
        #expect(try await node.send(.get, "/chunk/a").bytes == content)
        #expect(await node.service.health().status == "healthy")
        await node.service.stop()
    }

    @Test("a node scrubs by itself")
    func byItself() async throws {
        let node = try await damagedNode(["SCRUB_BYTES_PER_SEC": "1000000000"])
        try await node.service.start(url: "http://localhost:1")
        while node.service.scrubber.totals.passes == 0 { await Task.yield() }
        #expect(await node.service.health().status == "degraded")
        #expect(try report(try await node.send(.get, "/scrub")).status == "idle")
        await node.service.stop()
    }

    @Test("settings of scrubbing that make no sense are refused by name")
    func settings() {
        for (name, value) in [("SCRUB_BYTES_PER_SEC", "-1"), ("SCRUB_BYTES_PER_SEC", "x"), ("SCRUB_INTERVAL", "-1")] {
            let settings = Settings(environment: [name: value])
            let error = #expect(throws: Failure.self) { try StorageNodeConfiguration(settings: settings) }
            #expect(error?.message.contains(name) == true)
        }
    }

    @Test("the worst that is the case is the status, and all of it is the reason")
    func verdict() throws {
        let configuration = try StorageNodeConfiguration(settings: Settings(environment: [:]))
        func verdict(_ percent: Double, _ change: (inout ChunkStoreStatistics) -> Void) -> HealthVerdict {
            var statistics = ChunkStoreStatistics()
            change(&statistics)
            return HealthVerdict(statistics, diskPercent: percent, configuration)
        }
        let well = verdict(50) { _ in }
        #expect(well.status == "healthy" && well.reason == nil && well.impairment == nil)
        let warned = verdict(90) { _ in }
        #expect(warned.status == "warning" && warned.reason?.contains("90.0 %") == true && warned.impairment == nil)
        let untidy = verdict(50) { $0.upkeepFailure = "no space is left" }
        #expect(untidy.status == "warning" && untidy.reason?.contains("no space is left") == true)
        #expect(untidy.impairment == nil)
        let damaged = verdict(90) { $0.corruptChunks = 2 }
        #expect(damaged.status == "degraded" && damaged.impairment?.contains("2 chunks are damaged") == true)
        let forgetful = verdict(50) {
            $0.corruptRecords = 1
            $0.corruptRecordBytes = 4096
        }
        #expect(forgetful.status == "degraded" && forgetful.impairment?.contains("no vote") == true)
        let full = verdict(50) { $0.isDiskFull = true }
        #expect(full.status == "critical" && full.impairment?.contains("want of space") == true)
        let worst = verdict(97) {
            $0.readOnlyReason = "its disk failed to write: Input/output error"
            $0.corruptChunks = 1
            $0.isDiskFull = true
        }
        #expect(worst.status == "critical")
        #expect(
            worst.reason
                == "read-only until restarted: its disk failed to write: Input/output error; the disk is 97.0 % "
                + "full; writes are refused; 1 chunk is damaged on disk and not served until stored again")
    }
}
