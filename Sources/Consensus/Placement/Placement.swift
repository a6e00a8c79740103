import Base

/// Chooses the placement group of a new video: weighted rendezvous hashing over the copysets.
///
/// Invariants:
/// - The choice depends on nothing but the video's id and the nodes given.
/// - A node that is not healthy is used only where too few are.
/// - Even load: a node whose disk is less full than the others' gets more than its share until it has caught up, one
///   that is fuller gets less; so bytes stay even as nodes join, and whatever the sizes of disks and videos.
package enum Placement {
    /// Copies of a chunk, and acceptors of its value.
    package static let groupSize = 3
    /// The zone of nodes that name none.
    package static let defaultZone = "default"

    /// 1 to 64 printable ASCII characters without spaces.
    package static func isZone(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7e).contains($0) }
    }

    package struct Candidate: Hashable, Sendable {
        package let id: NodeID
        /// Nodes that are not healthy are used only when there are too few that are.
        package let isHealthy: Bool
        /// What fails together, such as a rack or a building.
        package let zone: String
        /// nil when the node did not say.
        package let space: Space?

        package init(id: NodeID, isHealthy: Bool, zone: String = Placement.defaultZone, space: Space? = nil) {
            self.id = id
            self.isHealthy = isHealthy
            self.zone = zone
            self.space = space
        }
    }

    /// A node's disk.
    package struct Space: Hashable, Sendable {
        /// What the disk can hold.
        package let capacityBytes: Int
        /// What of that are chunks.
        package let storedBytes: Int

        package init(capacityBytes: Int, storedBytes: Int) {
            self.capacityBytes = max(1, capacityBytes)
            self.storedBytes = max(0, storedBytes)
        }

        var level: Double { Double(storedBytes) / Double(capacityBytes) }
    }

    /// The group for a video; nil without any node. It has fewer than `groupSize` members when there are fewer nodes.
    package static func group(for video: VideoID, among nodes: [Candidate]) -> PlacementGroup? {
        PlacementPlan(Copysets(nodes), nodes).group(for: video)
    }
}
