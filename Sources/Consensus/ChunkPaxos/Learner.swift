import Base

/// Finds out what one chunk's acceptors have chosen, from what each reports of itself.
///
/// Invariants:
/// - `chosen` only when a majority reports the same value bytes under the same ballot, as each had it at some moment.
///   An accepted value is replaced only under a higher ballot, and then by the chosen one, so that it stays chosen.
/// - Reports of nodes that are no acceptors of the instance are not counted; a later report replaces an earlier one.
package struct Learner: Hashable, Sendable {
    package enum Verdict: Hashable, Sendable {
        /// Final. `by` are the acceptors that reported it, in the group's order.
        case chosen(Acceptor.Accepted, by: [NodeID])
        /// Two values under one ballot, which correct acceptors and creators never produce. In no particular order of age.
        case conflict(Acceptor.Accepted, Acceptor.Accepted)
        /// Values were accepted, none by a majority under one ballot: a proposer has to finish. Here the one of the highest ballot.
        case undecided(Acceptor.Accepted)
        /// A majority reported, and none of those that did has accepted anything.
        case empty
        /// Fewer than a majority have reported, and what they said decides nothing.
        case unknown
    }

    private struct Report: Hashable {
        let promised: Ballot?
        let accepted: Acceptor.Accepted?
    }

    private let acceptors: [NodeID]
    private var reports: [NodeID: Report] = [:]

    package init(acceptors: [NodeID]) { self.acceptors = acceptors }

    package mutating func onReport(_ node: NodeID, promised: Ballot?, accepted: Acceptor.Accepted?) {
        guard acceptors.contains(node) else { return }
        reports[node] = Report(promised: promised, accepted: accepted)
    }

    /// The highest round that any report mentions.
    package var roundSeenMax: UInt32 {
        reports.values.reduce(0) { max($0, $1.promised?.round ?? 0, $1.accepted?.ballot.round ?? 0) }
    }

    package var verdict: Verdict {
        let accepted = acceptors.compactMap { node in reports[node]?.accepted.map { (node: node, accepted: $0) } }
        for (index, one) in accepted.enumerated() {
            let rival = accepted[..<index].first {
                $0.accepted.ballot == one.accepted.ballot && $0.accepted.value != one.accepted.value
            }
            if let rival { return .conflict(rival.accepted, one.accepted) }
        }
        let majority = acceptors.count / 2 + 1
        for one in accepted {
            let holders = accepted.filter { $0.accepted == one.accepted }.map(\.node)
            if holders.count >= majority { return .chosen(one.accepted, by: holders) }
        }
        guard reports.count >= majority else { return .unknown }
        let highest = accepted.map(\.accepted).max { $0.ballot < $1.ballot }
        return highest.map { .undecided($0) } ?? .empty
    }
}
