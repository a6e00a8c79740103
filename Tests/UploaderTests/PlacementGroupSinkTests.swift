import Base
import ChunkPaxos
import Digests
import HTTPClient
import Media
import MetadataAPI
import Synchronization
import Testing

@testable import ChunkDelivery
@testable import Uploader

/// Storage nodes in memory, whose behaviour a test sets.
private final class FakeNodes: ChunkNodes {
    enum Behaviour: Sendable { case good, refusing, hanging, conflicting }

    struct State {
        var behaviour: [NodeID: Behaviour] = [:]
        var stored: [NodeID: [ChunkID: [UInt8]]] = [:]
        var values: [ChunkID: Set<ChunkValue>] = [:]
        var ballots: [ChunkID: Set<Ballot?>] = [:]
        var commits: [ChunkID: [CommitRequest]] = [:]
        var commitFailures = 0
        var puts = 0
    }

    let state = Locked(State())

    func put(_ id: ChunkID, _ bytes: [UInt8], ballot: Ballot?, value: ChunkValue, on node: GroupMember) async throws
        -> AcceptanceMessage?
    {
        let behaviour = state.withLock { state in
            state.puts += 1
            state.values[id, default: []].insert(value)
            state.ballots[id, default: []].insert(ballot)
            return state.behaviour[node.nodeId] ?? .good
        }
        switch behaviour {
        case .good: state.withLock { $0.stored[node.nodeId, default: [:]][id] = bytes }
        case .refusing: throw HTTPClientError(.connection, "nobody answers at \(node.nodeUrl)")
        case .hanging: try await Task.sleep(for: .seconds(1000))
        case .conflicting: throw Failure(.conflict, "the node holds other bytes")
        }
        return node.acceptorId.map {
            AcceptanceMessage(nodeId: node.nodeId, acceptorId: $0, proof: SHA256.digest(of: Array("\(id) \($0)".utf8)))
        }
    }

    func fetch(_ id: ChunkID, from node: GroupMember) async throws -> [UInt8] {
        guard let bytes = state.withLock({ $0.stored[node.nodeId]?[id] }) else { throw Failure(.notFound, "none") }
        return bytes
    }

    func commit(_ id: ChunkID, _ request: CommitRequest) async throws {
        try state.withLock { state in
            if state.commitFailures > 0 {
                state.commitFailures -= 1
                throw HTTPClientError(.connection, "the metadata service is away")
            }
            state.commits[id, default: []].append(request)
        }
    }

    func set(_ node: Int, _ behaviour: Behaviour) {
        state.withLock { $0.behaviour[MemoryCatalog.group.nodes[node].nodeId] = behaviour }
    }
}

@Suite struct PlacementGroupSinkTests {
    private let nodes = FakeNodes()
    private let video = MemoryCatalog.response(VideoID())

    private var patience: PlacementGroupSink.Patience {
        var patience = PlacementGroupSink.Patience()
        // What a test does not make fail has all the time of a busy machine.
        patience.straggler = .seconds(600)
        patience.majority = Retry(first: .milliseconds(1), total: .milliseconds(200))
        patience.metadata = Retry(first: .milliseconds(1), total: .seconds(600))
        patience.mending = .seconds(600)
        return patience
    }

    private func sink() -> PlacementGroupSink {
        PlacementGroupSink(video: video, isCreator: true, nodes: nodes, health: SharedNodeHealth(), patience: patience)
    }

    private func chunk(_ sequence: Int) -> OutgoingChunk {
        OutgoingChunk(
            stream: .source,
            chunk: PlannedChunk(
                sequence: sequence, bytes: [UInt8](repeating: UInt8(sequence), count: 100), startSeconds: 1.5,
                durationSeconds: 2))
    }

    private func id(_ sequence: Int) -> ChunkID { ChunkID(video: video.videoId, stream: .source, sequence: sequence) }

    private func holders(_ sequence: Int) -> Int {
        nodes.state.withLock { state in state.stored.values.count { $0[id(sequence)] != nil } }
    }

    @Test("a chunk goes to every node under one value, and is committed with all of them")
    func all() async throws {
        try await sink().store(chunk(0))
        #expect(holders(0) == 3)
        let commit = try #require(nodes.state.withLock { $0.commits[id(0)]?.first })
        #expect(commit.nodeUrls == MemoryCatalog.group.nodes.map(\.nodeUrl))
        #expect(commit.checksum == SHA256.digest(of: chunk(0).chunk.bytes))
        #expect((commit.sequenceNum, commit.startSec, commit.durationSec) == (0, 1.5, 2))
        let values = try #require(nodes.state.withLock { $0.values[id(0)] })
        #expect(values.count == 1)
        #expect(values.first?.nodes == MemoryCatalog.group.nodes.map(\.nodeId))
        #expect(nodes.state.withLock { $0.ballots[id(0)] } == [video.ballot])
    }

    @Test("who may not be the creator any more proposes nothing under ballot 0, when it mends neither")
    func notTheCreator() async throws {
        nodes.set(2, .refusing)
        let sink = PlacementGroupSink(
            video: video, isCreator: false, nodes: nodes, health: SharedNodeHealth(), patience: patience)
        try await sink.store(chunk(0))
        nodes.set(2, .good)
        await sink.mend()
        #expect(holders(0) == 3)
        #expect(nodes.state.withLock { $0.ballots[id(0)] } == [nil])
        #expect(nodes.state.withLock { $0.commits[id(0)]?.count } == 2)
    }

    @Test("a node that refuses or hangs does not stop a chunk, and is left alone after some failures")
    func oneAway() async throws {
        for behaviour in [FakeNodes.Behaviour.refusing, .hanging] {
            nodes.set(2, behaviour)
            var patience = patience
            patience.straggler = .milliseconds(20)
            let sink = PlacementGroupSink(
                video: video, isCreator: true, nodes: nodes, health: SharedNodeHealth(time: FixedTime()),
                patience: patience)
            for sequence in 0..<6 { try await sink.store(chunk(sequence)) }
            for sequence in 0..<6 { #expect(holders(sequence) == 2) }
            let commits = nodes.state.withLock { $0.commits }
            #expect(commits.values.allSatisfy { $0.allSatisfy { $0.nodeUrls.count == 2 } })
            let puts = nodes.state.withLock { state in
                defer { state = .init() }
                return state.puts
            }
            // Three to learn that it is away, none after.
            #expect(puts == 6 * 2 + NodeHealth.failuresMax)
        }
    }

    @Test("without a majority a chunk is tried again until the nodes are back")
    func comesBack() async throws {
        nodes.set(1, .refusing)
        nodes.set(2, .refusing)
        var patient = patience
        patient.majority = Retry(first: .milliseconds(5), last: .milliseconds(50), total: .seconds(600))
        let sink = PlacementGroupSink(
            video: video, isCreator: true, nodes: nodes, health: SharedNodeHealth(), patience: patient)
        let storing = Task { try await sink.store(chunk(0)) }
        try await until("it was tried several times") { nodes.state.withLock { $0.puts } > 6 }
        nodes.set(1, .good)
        try await storing.value
        #expect(holders(0) == 2)
    }

    @Test("without a majority for too long a chunk fails, naming the nodes")
    func noMajority() async throws {
        nodes.set(1, .refusing)
        nodes.set(2, .refusing)
        await #expect {
            try await sink().store(chunk(0))
        } throws: { error in
            let failure = error as? Failure
            return failure?.category == .unavailable && failure?.message.contains("only 1 of 3") == true
                && failure?.message.contains("node-2") == true
        }
        #expect(nodes.state.withLock { $0.commits.isEmpty })
    }

    @Test("one node that refuses, as after its disk was replaced, costs no more than one that is away")
    func oneRefusal() async throws {
        nodes.set(2, .conflicting)
        try await sink().store(chunk(0))
        let request = try #require(nodes.state.withLock { $0.commits.values.first?.first })
        #expect(request.nodeUrls == MemoryCatalog.group.nodes.prefix(2).map(\.nodeUrl))
    }

    @Test("the commit brings along what proves each node's acceptance, under the creator's ballot")
    func proofs() async throws {
        try await sink().store(chunk(0))
        let request = try #require(nodes.state.withLock { $0.commits.values.first?.first })
        #expect(request.ballot == Ballot(round: 0, proposer: 7))
        #expect(request.acceptances?.map(\.nodeId) == MemoryCatalog.group.nodes.map(\.nodeId))
        let value = try #require(nodes.state.withLock { $0.values.values.first?.first })
        #expect(value.acceptors == MemoryCatalog.group.acceptors)
    }

    @Test("a conflict is not tried again")
    func conflict() async throws {
        nodes.set(1, .conflicting)
        nodes.set(2, .conflicting)
        await #expect { try await sink().store(chunk(0)) } throws: { ($0 as? Failure)?.category == .conflict }
        #expect(nodes.state.withLock { $0.puts } == 3)
    }

    @Test("a metadata service that is restarted is waited for")
    func metadataAway() async throws {
        nodes.state.withLock { $0.commitFailures = 4 }
        try await sink().store(chunk(0))
        #expect(nodes.state.withLock { $0.commits[id(0)]?.count } == 1)
    }

    @Test("a node that is back gets what it missed, from a node that has it")
    func mend() async throws {
        nodes.set(2, .refusing)
        let sink = sink()
        try await sink.store(chunk(0))
        try await sink.store(chunk(1))
        nodes.set(2, .good)
        await sink.mend()
        #expect(holders(0) == 3 && holders(1) == 3)
        #expect(nodes.state.withLock { $0.commits[id(1)]?.last?.nodeUrls.count } == 3)
    }

    @Test("a node that is still away is not waited for when mending")
    func mendAway() async throws {
        nodes.set(2, .refusing)
        let sink = sink()
        for sequence in 0..<5 { try await sink.store(chunk(sequence)) }
        let before = nodes.state.withLock { $0.puts }
        await sink.mend()
        #expect(nodes.state.withLock { $0.puts } <= before + 1)
    }

    @Test("a node is up, down after three failures in a row, and up again after its time")
    func health() throws {
        let node = try #require(NodeID("n"))
        var health = NodeHealth()
        let start = Timestamp(nanoseconds: 0)
        health.onFailure(node, now: start)
        health.onFailure(node, now: start)
        health.onSuccess(node)
        health.onFailure(node, now: start)
        health.onFailure(node, now: start)
        #expect(health.isUp(node, now: start))
        health.onFailure(node, now: start)
        #expect(!health.isUp(node, now: start))
        let later = start.adding(seconds: NodeHealth.downSeconds)
        #expect(health.isUp(node, now: later))
        health.onFailure(node, now: later)
        #expect(!health.isUp(node, now: later))
    }
}

/// A clock that stands.
private struct FixedTime: TimeSource {
    func now() -> Timestamp { Timestamp(nanoseconds: 0) }
}
