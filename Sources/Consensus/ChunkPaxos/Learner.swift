import Base

/// Finds out what one instance's acceptors have chosen, from what each reports of itself.
///
/// Invariants:
/// - `chosen` only when a majority reports the same value bytes under the same ballot, as each had it at some moment.
///   An accepted value is replaced only under a higher ballot, and then by the chosen one, so that it stays chosen.
/// - Reports of strangers, and of nodes whose identity is not the one in the membership, are not counted; a later
///   report replaces an earlier one.
/// - One member in a later version is enough to know that this instance was decided: nobody enters a configuration
///   whose base was not chosen.
package struct Learner: Hashable, Sendable {
    package enum Verdict: Hashable, Sendable {
        /// Final. `by` are the acceptors that reported it, in the group's order.
        case chosen(Acceptor.Accepted, by: [NodeID])
        /// Final. The chunk has gone on; ask those of this configuration, the latest that was reported. If its version
        /// is the next one, its base is what was chosen here.
        case superseded(Configuration)
        /// Two values under one ballot, which correct acceptors and creators never produce. In no particular order of age.
        case conflict(Acceptor.Accepted, Acceptor.Accepted)
        /// Values were accepted, none by a majority under one ballot: a proposer has to finish. Here the one of the
        /// highest ballot.
        case undecided(Acceptor.Accepted)
        /// A majority reported, and none of those that did has accepted anything.
        case empty
        /// Fewer than a majority have reported, and what they said decides nothing.
        case unknown
    }

    private let membership: Membership
    /// In the membership's order.
    private var reports: [Acceptor?]
    private var later: Configuration?

    package init(membership: Membership) {
        self.membership = membership
        reports = Array(repeating: nil, count: membership.members.count)
    }

    package mutating func onReport(_ voter: Membership.Member, _ state: Acceptor) {
        guard let index = membership.index(of: voter) else { return }
        reports[index] = state
    }

    /// The acceptor is in a later version.
    package mutating func onSuperseded(_ voter: Membership.Member, by configuration: Configuration) {
        guard membership.index(of: voter) != nil else { return }
        if later.map({ $0.version < configuration.version }) ?? true { later = configuration }
    }

    /// Whatever the acceptor replied to a read.
    package mutating func onReply(_ voter: Membership.Member, _ reply: ChunkAcceptor.Reply) {
        switch reply {
        case .state(let state): onReport(voter, state)
        case .superseded(let configuration): onSuperseded(voter, by: configuration)
        case .answered, .installed, .foreign: break
        }
    }

    /// The highest round that any report mentions.
    package var roundSeenMax: UInt32 {
        reports.reduce(0) { max($0, $1?.promised?.round ?? 0, $1?.accepted?.ballot.round ?? 0) }
    }

    package var verdict: Verdict {
        if let later { return .superseded(later) }
        let accepted = zip(membership.nodes, reports).compactMap { node, report in
            report?.accepted.map { (node: node, accepted: $0) }
        }
        for (index, one) in accepted.enumerated() {
            let rival = accepted[..<index].first {
                $0.accepted.ballot == one.accepted.ballot && $0.accepted.value != one.accepted.value
            }
            if let rival { return .conflict(rival.accepted, one.accepted) }
        }
        for one in accepted {
            let holders = accepted.filter { $0.accepted == one.accepted }.map(\.node)
            if holders.count >= membership.quorum { return .chosen(one.accepted, by: holders) }
        }
        guard reports.count(where: { $0 != nil }) >= membership.quorum else { return .unknown }
        let highest = accepted.map(\.accepted).max { $0.ballot < $1.ballot }
        return highest.map { .undecided($0) } ?? .empty
    }
}
