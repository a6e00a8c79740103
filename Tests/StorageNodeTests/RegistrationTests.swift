import Base
import ChunkPaxos
import HTTPClient
import HTTPTypes
import MetadataAPI
import Synchronization
import Testing

@testable import StorageNode

@Suite("Registration and heartbeats")
struct RegistrationTests {
    /// A metadata service that can be away, or forget.
    private final class Registry: NodeRegistry {
        struct State {
            var isAway = false
            var refusals = 0
            var known: Set<String> = []
            var registrations: [RegisterNodeRequest] = []
            var heartbeats: [HeartbeatRequest] = []
        }

        let state = Locked(State())

        func register(_ request: RegisterNodeRequest) async throws {
            try state.withLock { state in
                if state.isAway {
                    state.refusals += 1
                    throw HTTPClientError(.connection, "nobody answers")
                }
                state.known.insert(request.nodeId.description)
                state.registrations.append(request)
            }
        }

        func heartbeat(_ node: NodeID, _ request: HeartbeatRequest) async throws {
            try state.withLock { state in
                if state.isAway {
                    state.refusals += 1
                    throw HTTPClientError(.connection, "nobody answers")
                }
                guard state.known.contains(node.description) else {
                    throw HTTPClientError(.status(.notFound), "who?")
                }
                state.heartbeats.append(request)
            }
        }

        func until(_ condition: (State) -> Bool) async throws {
            while !state.withLock({ condition($0) }) {
                try Task.checkCancellation()
                await Task.yield()
            }
        }
    }

    @Test(
        "a node registers, beats, and registers again when it was forgotten or the service was away",
        .timeLimit(.minutes(1)))
    func life() async throws {
        let registry = Registry()
        registry.state.withLock { $0.isAway = true }
        let node = try TestNode(
            ["HEARTBEAT_INTERVAL": "0.05", "NODE_ID": "n1", "NODE_ZONE": "rack-7"], registry: registry)
        _ = try await node.send(.put, "/chunk/a", body: [1])
        try await node.service.start(url: "http://localhost:1234")
        try await registry.until { $0.refusals > 0 }
        registry.state.withLock { $0.isAway = false }
        try await registry.until { $0.heartbeats.count >= 2 }
        let (registration, heartbeat) = registry.state.withLock { ($0.registrations.first, $0.heartbeats.first) }
        #expect(registration?.nodeUrl == "http://localhost:1234" && registration?.nodeId.description == "n1")
        #expect(registration?.zone == "rack-7")
        #expect(heartbeat?.impairment == nil)
        #expect(heartbeat?.storedBytes == 1 && heartbeat?.capacityBytes ?? 0 > 1)
        #expect(heartbeat?.chunkCount == 1 && heartbeat?.diskUsagePercent == 10 && heartbeat?.corruptChunks == [])

        registry.state.withLock { $0.known = [] }
        try await registry.until { $0.known.contains("n1") }

        let refusals = registry.state.withLock { state in
            state.isAway = true
            state.registrations = []
            return state.refusals
        }
        try await registry.until { $0.refusals > refusals }
        registry.state.withLock { $0.isAway = false }
        try await registry.until { !$0.registrations.isEmpty }
        await node.service.stop()
        #expect(try await node.send(.put, "/chunk/b", body: [1]).status == .serviceUnavailable)
    }

    @Test("NODE_URL is what the node says of itself")
    func nodeURL() async throws {
        let registry = Registry()
        let node = try TestNode(["NODE_URL": "http://storage-1:8081/"], registry: registry)
        try await node.service.start(url: "http://localhost:1")
        try await registry.until { !$0.registrations.isEmpty }
        #expect(registry.state.withLock { $0.registrations[0].nodeUrl } == "http://storage-1:8081")
        await node.service.stop()
    }

    @Test("retries wait longer and longer, and never longer than the interval")
    func plan() {
        var plan = RegistrationPlan(intervalSeconds: 10)
        let delays = (0..<7).map { _ in plan.onFailure(isUnknown: false, jitter: 1) }
        #expect(delays == [0.5, 1, 2, 4, 8, 10, 10])
        #expect(plan.step == .register)
        #expect(plan.onSuccess(jitter: 0.5) == 0)
        #expect(plan.step == .heartbeat)
        #expect(plan.onSuccess(jitter: 0) == 9)
        #expect(plan.onSuccess(jitter: 1) == 11)
        #expect(plan.onFailure(isUnknown: true, jitter: 1) == 0)
        #expect(plan.step == .register)
        #expect(plan.onFailure(isUnknown: true, jitter: 1) > 0)
    }

    @Test("settings: defaults, both sizes of superblocks, an empty metadata URL, and values that cannot be")
    func settings() throws {
        let defaults = try StorageNodeConfiguration(settings: Settings(environment: [:]))
        #expect(defaults.nodeID.description == "storage-node-1")
        #expect(defaults.metadataURL == "http://localhost:8080")
        #expect(defaults.dataDirectory == "./data/storage1")
        #expect(defaults.superblockBytesMax == 1 << 30 && defaults.chunkBytesMax == 2 << 20)
        #expect(defaults.heartbeatSeconds == 10)
        #expect(defaults.zone == nil)
        func configuration(_ variables: [String: String]) throws(Failure) -> StorageNodeConfiguration {
            try StorageNodeConfiguration(settings: Settings(environment: variables))
        }
        #expect(try configuration(["METADATA_SERVICE_URL": ""]).metadataURL == nil)
        #expect(try configuration(["MAX_SUPERBLOCK_SIZE_MB": "64"]).superblockBytesMax == 64 << 20)
        #expect(try configuration(["MAX_SUPERBLOCK_SIZE": "12345"]).superblockBytesMax == 12345)
        #expect(try configuration(["COMPACTION_LIVE_PERCENT": "30"]).compactionLivePercent == 30)
        #expect(try configuration(["COMPACTION_BYTES_PER_SEC": "1000"]).compactionBytesPerSecond == 1000)
        for (name, value) in [
            ("NODE_ID", "a b"), ("NODE_ZONE", "a b"), ("NODE_URL", "localhost"), ("METADATA_SERVICE_URL", "x"),
            ("HEARTBEAT_INTERVAL", "0"),
            ("MAX_CHUNK_SIZE", "0"), ("DISK_CRITICAL_PERCENT", "101"), ("MAX_SUPERBLOCK_SIZE", "-1"),
        ] {
            do {
                _ = try configuration([name: value])
                Issue.record("\(name)=\(value) was taken")
            } catch {
                #expect(error.message.contains(name))
            }
        }
    }
}
