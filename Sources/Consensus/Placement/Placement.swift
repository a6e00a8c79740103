import Base
import Digests

/// Chooses the placement group of a new video.
///
/// Invariants:
/// - The choice depends on nothing but the video's id and the nodes given.
/// - Few copysets: N nodes form at most N groups, so that the loss of several disks at once rarely hits all members of
///   one (Cidon et al., "Copysets", USENIX ATC 2013). The nodes stand on a ring in the order of their ids' hashes, and
///   each run of `groupSize` neighbours is a candidate.
/// - Even load: every node is in `groupSize` of the candidates, and rendezvous hashing spreads videos evenly over them.
/// - Stable: a node that joins or leaves replaces only the candidates that span its place on the ring. Videos keep the
///   group they were created with in any case.
package enum Placement {
    /// Copies of a chunk, and acceptors of its value.
    package static let groupSize = 3

    package struct Candidate: Hashable, Sendable {
        package let id: NodeID
        /// Nodes that are not healthy are used only when there are too few that are.
        package let isHealthy: Bool

        package init(id: NodeID, isHealthy: Bool) {
            self.id = id
            self.isHealthy = isHealthy
        }
    }

    /// The group for a video; nil without any node. It has fewer than `groupSize` members when there are fewer nodes.
    package static func group(for video: VideoID, among nodes: [Candidate]) -> PlacementGroup? {
        let text = video.description
        return candidates(among: nodes)
            .map { (score: hash("\(text)\n\($0.id)"), group: $0) }
            .max { ($0.score, $0.group.id) < ($1.score, $1.group.id) }?
            .group
    }

    /// The groups that new videos may get, in the order of the ring.
    package static func candidates(among nodes: [Candidate]) -> [PlacementGroup] {
        let ring = ring(of: usable(nodes))
        guard ring.count > groupSize else { return ring.isEmpty ? [] : [PlacementGroup(members: ring)] }
        return ring.indices.map { start in
            PlacementGroup(members: (0..<groupSize).map { ring[(start + $0) % ring.count] })
        }
    }

    /// The healthy nodes; where they are too few for a group, all of them and as many others as it takes.
    private static func usable(_ nodes: [Candidate]) -> [NodeID] {
        let healthy = Set(nodes.lazy.filter(\.isHealthy).map(\.id))
        guard healthy.count < groupSize else { return Array(healthy) }
        let others = ring(of: Set(nodes.map(\.id)).subtracting(healthy))
        return Array(healthy) + others.prefix(groupSize - healthy.count)
    }

    /// Nodes in the order of their ids' hashes.
    private static func ring(of nodes: some Sequence<NodeID>) -> [NodeID] {
        nodes.map { (place: hash($0.description), id: $0) }.sorted { ($0.place, $0.id) < ($1.place, $1.id) }.map(\.id)
    }

    private static func hash(_ text: String) -> UInt64 { SHA256.digest(of: Array(text.utf8)).prefix.0 }
}
