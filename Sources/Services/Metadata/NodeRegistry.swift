import Base
import Catalog
import ChunkPaxos
import MetadataAPI
import Placement
import Synchronization

/// The nodes as they are at this moment, for any thread.
final class NodeRegistry: Sendable {
    private let directory: Locked<NodeDirectory>
    private let time: any TimeSource

    init(nodes: [Node], timeoutSec: Double, time: any TimeSource) {
        self.time = time
        directory = Locked(NodeDirectory(nodes: nodes, timeoutSec: timeoutSec, now: time.now()))
    }

    /// Grows when a manifest that was rendered before could be out of date.
    var version: Int { view.version }

    var view: NodeView {
        directory.withLock { directory in
            directory.refresh(now: time.now())
            return NodeView(version: directory.version, entries: directory.entries)
        }
    }

    /// Where a new video goes; nil when no node can take it.
    func placementGroup(for video: VideoID) -> PlacementGroup? {
        let (nodes, copysets) = directory.withLock { directory in
            directory.refresh(now: time.now())
            return (NodeView(version: directory.version, entries: directory.entries), directory.copysets())
        }
        return PlacementPlan(copysets, nodes.candidates).group(for: video)?.identified(by: nodes.identities)
    }

    func register(_ node: Node) { directory.withLock { $0.onRegister(node, now: time.now()) } }

    /// - Returns: when the heartbeat was taken; nil when the node never registered.
    func heartbeat(of id: NodeID, _ report: NodeReport) -> Timestamp? {
        let now = time.now()
        return directory.withLock { $0.onHeartbeat(of: id, report, now: now) } ? now : nil
    }

    /// Takes over what the catalog has heard of nodes later than this service.
    func merge(_ nodes: [Node]) { directory.withLock { $0.onCatalog(nodes, now: time.now()) } }

    func noteAnswer(of id: NodeID, seconds: Double) {
        directory.withLock { $0.onAnswer(of: id, seconds: seconds, now: time.now()) }
    }
}

/// The nodes at one moment.
struct NodeView: Sendable {
    let version: Int
    /// In order of id.
    let entries: [NodeDirectory.Entry]

    func entry(_ id: NodeID) -> NodeDirectory.Entry? { entries.first { $0.node.id == id } }

    /// The acceptor that each node is now.
    var identities: [NodeID: AcceptorID] {
        Dictionary(entries.compactMap { entry in entry.node.acceptor.map { (entry.node.id, $0) } }) { first, _ in first
        }
    }

    /// The group's members that have registered, at their present addresses.
    func members(of group: PlacementGroup) -> [GroupMember] {
        group.members.enumerated().compactMap { index, member in
            entry(member).map {
                GroupMember(nodeId: member, nodeUrl: $0.node.url, acceptorId: group.acceptors?[index])
            }
        }
    }

    func count(_ status: NodeStatus) -> Int { entries.count { $0.status == status } }

    /// Nodes that a new video may be placed on.
    var candidates: [Placement.Candidate] {
        entries
            .filter { $0.status != .down && $0.node.report.diskUsagePercent < NodeDirectory.diskCriticalPercent }
            .map { Placement.Candidate($0) }
    }

    func summaries(only status: NodeStatus? = nil) -> [NodeSummary] {
        entries.filter { status == nil || $0.status == status }.map { entry in
            NodeSummary(
                nodeUrl: entry.node.url, nodeId: entry.node.id, status: entry.status,
                lastHeartbeat: entry.node.lastHeartbeat, diskUsagePercent: entry.node.report.diskUsagePercent,
                chunkCount: entry.node.report.chunkCount, version: entry.node.version,
                corruptChunks: entry.node.report.corruptChunks, zone: entry.node.zone, acceptorId: entry.node.acceptor,
                impairment: entry.status == .down ? nil : entry.node.report.impairment)
        }
    }
}
