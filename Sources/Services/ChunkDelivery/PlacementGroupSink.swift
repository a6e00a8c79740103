import Base
import ChunkPaxos
import Digests
import Media
import MetadataAPI
import Synchronization

/// Stores a video's chunks on the nodes of its placement group, and commits each with a majority.
///
/// A node that is away costs nothing but its copies: a chunk goes on as soon as a majority has accepted it, and what the
/// others missed is remembered for ``mend()``.
package final class PlacementGroupSink: ChunkSink {
    /// How the sink behaves towards nodes that are slow or away.
    package struct Patience: Sendable {
        /// What the rest of the nodes get once a majority has accepted.
        package var straggler: Duration = .seconds(3)
        package var majority = Retry.majority
        package var metadata = Retry.metadata
        /// For everything that was missed.
        package var mending: Duration = .seconds(10)

        package init() {}
    }

    /// Chunks that a node has missed and that are remembered; what is more is left to repair.
    private static let missedMax = 4096

    private struct Missed {
        let node: GroupMember
        let id: ChunkID
        let value: ChunkValue
        let holders: [Holder]
    }

    /// A node that has the chunk, and its proof that it accepted the value.
    private struct Holder {
        let node: GroupMember
        let acceptance: AcceptanceMessage?
    }

    private let video: VideoID
    private let group: PlacementGroupMessage
    /// The creator's; nil when somebody may have proposed other values under it already.
    private let ballot: Ballot?
    private let nodes: any ChunkNodes
    private let health: SharedNodeHealth
    private let patience: Patience
    private let missed = Locked<[Missed]>([])

    /// - Parameter isCreator: whether nothing was ever proposed of the video. Who begins again after a restart cannot be
    ///   sure to propose the same bytes under ballot 0, which must stand for one value: he stores them alone, and the
    ///   metadata service finds out by both phases what was or is chosen.
    package convenience init(
        video: CreateVideoResponse, isCreator: Bool, nodes: any ChunkNodes, health: SharedNodeHealth,
        patience: Patience = Patience()
    ) {
        self.init(
            video: video.videoId, group: video.placementGroup, ballot: isCreator ? video.ballot : nil, nodes: nodes,
            health: health, patience: patience)
    }

    /// - Parameter ballot: of round 0, where the right to it was given and nothing was ever proposed under it of the
    ///   chunks that are to be stored.
    package init(
        video: VideoID, group: PlacementGroupMessage, ballot: Ballot?, nodes: any ChunkNodes,
        health: SharedNodeHealth, patience: Patience = Patience()
    ) {
        self.video = video
        self.group = group
        self.ballot = ballot
        self.nodes = nodes
        self.health = health
        self.patience = patience
    }

    package func store(_ outgoing: OutgoingChunk) async throws {
        let chunk = outgoing.chunk
        let id = ChunkID(video: video, stream: outgoing.stream, sequence: chunk.sequence)
        let value = ChunkValue(
            videoId: video, stream: outgoing.stream, sequence: chunk.sequence, sizeBytes: chunk.bytes.count,
            checksum: SHA256.digest(of: chunk.bytes), group: group.id, nodes: group.nodes.map(\.nodeId),
            acceptors: group.acceptors, startSec: Self.microseconds(chunk.startSeconds),
            durationSec: Self.microseconds(chunk.durationSeconds))
        let holders = try await replicate(id, chunk.bytes, value)
        try await commit(id, value, holders)
        let absent = group.nodes.filter { node in !holders.contains { $0.node == node } }
        missed.withLock { missed in
            for node in absent where missed.count < Self.missedMax {
                missed.append(Missed(node: node, id: id, value: value, holders: holders))
            }
        }
    }

    package func mend() async {
        let all = missed.withLock { missed in
            defer { missed = [] }
            return missed
        }
        guard !all.isEmpty else { return }
        let absent = Set(all.map(\.node))
        await withTaskGroup(of: Bool.self) { group in
            for node in absent {
                group.addTask {
                    await self.mend(all.filter { $0.node == node })
                    return true
                }
            }
            group.addTask { [patience] in
                try? await Task.sleep(for: patience.mending)
                return false
            }
            var remaining = absent.count
            while remaining > 0, await group.next() == true { remaining -= 1 }
            group.cancelAll()
        }
    }

    /// Until the first failure: a node that is still away is left to the cluster's own repair.
    private func mend(_ missed: [Missed]) async {
        for one in missed where health.isUp(one.node.nodeId) {
            guard let source = one.holders.first else { continue }
            do {
                let bytes = try await nodes.fetch(one.id, from: source.node)
                guard SHA256.digest(of: bytes) == one.value.checksum else { continue }
                let acceptance = try await nodes.put(one.id, bytes, ballot: ballot, value: one.value, on: one.node)
                let holder = Holder(node: one.node, acceptance: acceptance)
                try await nodes.commit(one.id, request(one.value, one.holders + [holder]))
            } catch {
                return
            }
        }
    }

    /// - Returns: the nodes that have accepted, a majority at least, in the group's order.
    private func replicate(_ id: ChunkID, _ bytes: [UInt8], _ value: ChunkValue) async throws -> [Holder] {
        let all = group.nodes
        let majority = group.majority
        var holders: [GroupMember: Holder] = [:]
        var refusing: Set<GroupMember> = []
        var isFirstRound = true
        try await patience.majority.run {
            var targets = all.filter { holders[$0] == nil }
            // A node that is down is only waited for when there is no majority without it.
            let up = targets.filter { health.isUp($0.nodeId) }
            if isFirstRound, up.count >= majority { targets = up }
            isFirstRound = false
            let round = await attempt(id, bytes, value, targets, needed: majority - holders.count)
            for holder in round.accepted { holders[holder.node] = holder }
            refusing.formUnion(round.refusing)
            if holders.count >= majority { return }
            throw Failure(
                all.count - refusing.count < majority ? .conflict : .unavailable,
                "only \(holders.count) of \(all.count) storage nodes took chunk \(id): "
                    + round.reasons.joined(separator: "; "))
        }
        return all.compactMap { holders[$0] }
    }

    private struct Round {
        var accepted: [Holder] = []
        var reasons: [String] = []
        /// Nodes that refused for a reason that will not change.
        var refusing: Set<GroupMember> = []
    }

    /// One PUT to each of the nodes, all at once; what is slow once `needed` have accepted is given up.
    private func attempt(
        _ id: ChunkID, _ bytes: [UInt8], _ value: ChunkValue, _ targets: [GroupMember], needed: Int
    ) async -> Round {
        await withTaskGroup(of: (node: GroupMember, result: Result<AcceptanceMessage?, any Error>)?.self) { group in
            for node in targets {
                group.addTask { [nodes, ballot] in
                    do {
                        let proof = try await nodes.put(id, bytes, ballot: ballot, value: value, on: node)
                        return (node, .success(proof))
                    } catch {
                        return (node, .failure(error))
                    }
                }
            }
            var round = Round()
            var waiting = targets.count
            while waiting > 0, let answer = await group.next() {
                guard let (node, result) = answer else {
                    group.cancelAll()
                    continue
                }
                waiting -= 1
                switch result {
                case .failure(let error):
                    if !Task.isCancelled { health.onFailure(node.nodeId) }
                    round.reasons.append("\(node.nodeId): \((error as? any PresentableError)?.message ?? "no answer")")
                    if (error as? any PresentableError)?.category == .conflict { round.refusing.insert(node) }
                case .success(let acceptance):
                    health.onSuccess(node.nodeId)
                    round.accepted.append(Holder(node: node, acceptance: acceptance))
                    guard round.accepted.count == needed, waiting > 0 else { continue }
                    group.addTask { [patience] in
                        try? await Task.sleep(for: patience.straggler)
                        return nil
                    }
                }
            }
            group.cancelAll()
            return round
        }
    }

    private func commit(_ id: ChunkID, _ value: ChunkValue, _ holders: [Holder]) async throws {
        let request = request(value, holders)
        try await patience.metadata.run { try await nodes.commit(id, request) }
    }

    private func request(_ value: ChunkValue, _ holders: [Holder]) -> CommitRequest {
        CommitRequest(
            nodeUrls: holders.map(\.node.nodeUrl), checksum: value.checksum, sizeBytes: value.sizeBytes,
            videoId: value.videoId, sequenceNum: value.sequence, redundancyMode: value.redundancyMode,
            stream: value.stream, startSec: value.startSec, durationSec: value.durationSec, ballot: ballot,
            acceptances: holders.compactMap(\.acceptance))
    }

    /// Enough for any player, and short in JSON.
    private static func microseconds(_ seconds: Double) -> Double { (seconds * 1e6).rounded() / 1e6 }
}

/// What all uploads of the service know of the nodes.
package final class SharedNodeHealth: Sendable {
    private let health = Locked(NodeHealth())
    private let time: any TimeSource

    package init(time: any TimeSource = SystemTime()) { self.time = time }

    func isUp(_ node: NodeID) -> Bool { health.withLock { $0.isUp(node, now: time.now()) } }
    func onSuccess(_ node: NodeID) { health.withLock { $0.onSuccess(node) } }
    func onFailure(_ node: NodeID) { health.withLock { $0.onFailure(node, now: time.now()) } }
}
