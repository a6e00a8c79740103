import Base

/// The acceptors of an instance, in the order messages are sent.
///
/// Invariant: between 1 and 64 members, no node twice, no identity twice: two names of one memory would count as two
/// votes.
package struct Membership: Hashable, Sendable {
    package static let countMax = 64

    package struct Member: Hashable, Sendable, Codable {
        /// Where the acceptor is asked.
        package let node: NodeID
        /// Which memory is meant. nil in a membership: whichever the node has (videos that were created before
        /// identities were kept). nil of one that answers: it did not say.
        package let acceptor: AcceptorID?

        package init(_ node: NodeID, _ acceptor: AcceptorID? = nil) {
            self.node = node
            self.acceptor = acceptor
        }

        /// Whether both name one node, or one identity.
        fileprivate func isSame(as other: Member) -> Bool {
            node == other.node || (acceptor != nil && acceptor == other.acceptor)
        }

        private enum CodingKeys: String, CodingKey {
            case node = "nodeId"
            case acceptor = "acceptorId"
        }
    }

    package let members: [Member]

    /// - Throws: ``Failure`` (`invalidArgument`) unless the invariant holds.
    package init(_ members: [Member]) throws(Failure) {
        guard (1...Self.countMax).contains(members.count) else {
            throw Failure(.invalidArgument, "an instance has 1 to \(Self.countMax) acceptors, not \(members.count)")
        }
        for (index, member) in members.enumerated() {
            // Most have three, which are compared sooner than hashed.
            guard !members[..<index].contains(where: { $0.isSame(as: member) }) else {
                throw Failure(.invalidArgument, "an acceptor is named twice")
            }
        }
        self.members = members
    }

    package var nodes: [NodeID] { members.map(\.node) }

    /// How many members make a quorum: any two quorums share a member.
    package var quorum: Int { members.count / 2 + 1 }

    /// The place of the member that `voter` is; nil for strangers, and for a node that has another identity than the
    /// membership names.
    package func index(of voter: Member) -> Int? {
        members.firstIndex { $0.node == voter.node && ($0.acceptor == nil || $0.acceptor == voter.acceptor) }
    }
}

extension Membership: Codable {
    /// As an array of members.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        do {
            try self.init(try container.decode([Member].self))
        } catch let failure as Failure {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: failure.message))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(members)
    }
}

/// Who of a membership has said something: a set of places in it.
struct Votes: Hashable, Sendable {
    private var bits: UInt64 = 0

    var count: Int { bits.nonzeroBitCount }

    func contains(_ index: Int) -> Bool { bits & 1 << UInt64(index) != 0 }

    mutating func insert(_ index: Int) { bits |= 1 << UInt64(index) }
}
