import Base
import ChunkPaxos
import Digests

/// A fixed set of storage nodes: the holders of a video's chunks and the acceptors of their values.
///
/// Invariant: the same members, with the same identities, are the same group. Members are kept in order of id and the
/// group's own id is derived from them, so that two services that choose the same nodes name the same group, and a
/// group never changes: a node whose disk was replaced is no member of its former groups any more.
package struct PlacementGroup: Hashable, Sendable {
    /// `pg-` and 16 hex digits.
    package let id: String
    /// In order of id, without repetition.
    package let members: [NodeID]
    /// The members' identities, in their order; nil where they were not known when the group was made.
    package let acceptors: [AcceptorID]?

    package init(members: some Sequence<NodeID>) {
        self.init(sorted: Set(members).sorted(), acceptors: nil)
    }

    /// - Parameter identities: of the members and perhaps others. A group has the identities of all its members or none.
    package init(members: some Sequence<NodeID>, identities: [NodeID: AcceptorID]) {
        let members = Set(members).sorted()
        let known = members.compactMap { identities[$0] }
        self.init(sorted: members, acceptors: Set(known).count == members.count ? known : nil)
    }

    /// The group that decides version 0: what a value of that version names as its holders.
    package init(_ membership: Membership) {
        let identities = membership.members.compactMap { member in member.acceptor.map { (member.node, $0) } }
        self.init(members: membership.nodes, identities: Dictionary(identities) { first, _ in first })
    }

    private init(sorted members: [NodeID], acceptors: [AcceptorID]?) {
        // Ids hold no space and no line feed, so the joined text is unambiguous.
        let lines = members.enumerated().map { index, node in acceptors.map { "\(node) \($0[index])" } ?? "\(node)" }
        id = "pg-" + SHA256.digest(of: Array(lines.joined(separator: "\n").utf8)).hex.prefix(16)
        self.members = members
        self.acceptors = acceptors
    }

    /// The digits of the id.
    var hash: UInt64 { UInt64(id.dropFirst(3), radix: 16) ?? 0 }

    /// How many members make a quorum: any two quorums share a member.
    package var majority: Int { members.count / 2 + 1 }

    /// The group as the acceptors of version 0 of its videos' chunks.
    /// - Throws: ``Failure`` when it has nobody, or too many.
    package func membership() throws(Failure) -> Membership {
        guard let acceptors else { return try Membership(members.map { Membership.Member($0) }) }
        return try Membership(zip(members, acceptors).map { Membership.Member($0, $1) })
    }

    /// The same nodes with the disks that they have now.
    package func identified(by identities: [NodeID: AcceptorID]) -> PlacementGroup {
        PlacementGroup(members: members, identities: identities)
    }
}
