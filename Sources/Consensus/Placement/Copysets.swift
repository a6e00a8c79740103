import Base
import Digests

/// The groups that videos may be placed on: the few sets of nodes that ever share a chunk.
///
/// Invariants:
/// - They depend on nothing but the nodes' ids and zones.
/// - N nodes form at most `ringCount` × N groups, so that the loss of several disks at once rarely hits all members of
///   one (Cidon et al., "Copysets", USENIX ATC 2013).
/// - No two members of a group share a zone where there are enough zones, and no more than needed do where not.
/// - Stable: a node that joins or leaves replaces only the groups that span its places on the rings. Videos keep the
///   group they were created with in any case.
package struct Copysets: Hashable, Sendable {
    /// How many times the nodes are put in another order. More of them let a node that is behind catch up from more
    /// partners at once, and make the loss of three disks more likely to hit a group.
    package static let ringCount = 8

    /// In order of id.
    package let groups: [PlacementGroup]

    package init(_ nodes: [Placement.Candidate]) {
        var seen: Set<String> = []
        var groups: [PlacementGroup] = []
        for ring in 0..<Self.ringCount {
            for group in Ring(nodes, salt: ring).groups where seen.insert(group.id).inserted { groups.append(group) }
        }
        self.groups = groups.sorted { $0.id < $1.id }
    }
}

/// Nodes in the order of their ids' hashes, and the group that each of them leads.
struct Ring {
    private struct Place {
        let hash: UInt64
        let id: NodeID
        let zone: Int
    }

    private let places: [Place]
    /// How many members of a group may share a zone.
    private let perZoneMax: Int

    init(_ nodes: [Placement.Candidate], salt: Int) {
        var zones: [String: Int] = [:]
        places = nodes.map { node in
            let zone = zones[node.zone] ?? zones.count
            zones[node.zone] = zone
            return Place(hash: Self.hash("\(salt)\n\(node.id)"), id: node.id, zone: zone)
        }.sorted { ($0.hash, $0.id) < ($1.hash, $1.id) }
        perZoneMax = (Placement.groupSize + max(1, zones.count) - 1) / max(1, zones.count)
    }

    /// One for each node, in the order of the ring; those with the same members come more than once.
    var groups: [PlacementGroup] { places.indices.map { PlacementGroup(members: members(from: $0)) } }

    /// The node at the place and the next ones whose zones are not used up.
    private func members(from start: Int) -> [NodeID] {
        var chosen: [Place] = []
        for step in places.indices where chosen.count < Placement.groupSize {
            let place = places[(start + step) % places.count]
            if chosen.count(where: { $0.zone == place.zone }) < perZoneMax { chosen.append(place) }
        }
        return chosen.map(\.id)
    }

    private static func hash(_ text: String) -> UInt64 { SHA256.digest(of: Array(text.utf8)).prefix.0 }
}
