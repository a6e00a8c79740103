import Base
import Digests

/// A fixed set of storage nodes: the holders of a video's chunks and the acceptors of their values.
///
/// Invariant: the same members are the same group. Members are kept in order of id and the group's own id is derived
/// from them, so that two services that choose the same nodes name the same group, and a group never changes.
package struct PlacementGroup: Hashable, Sendable {
    /// `pg-` and 16 hex digits.
    package let id: String
    /// In order of id, without repetition.
    package let members: [NodeID]

    package init(members: some Sequence<NodeID>) {
        let members = Set(members).sorted()
        // Ids hold no line feed, so the joined text is unambiguous.
        let text = members.map(\.description).joined(separator: "\n")
        id = "pg-" + SHA256.digest(of: Array(text.utf8)).hex.prefix(16)
        self.members = members
    }

    /// The digits of the id.
    var hash: UInt64 { UInt64(id.dropFirst(3), radix: 16) ?? 0 }

    /// How many members make a quorum: any two quorums share a member.
    package var majority: Int { members.count / 2 + 1 }
}
