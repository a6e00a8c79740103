import Base
import ChunkPaxos
import Digests
import StorageNodeAPI

/// Puts together what several nodes list, chunk by chunk, while their pages come: all lists are in one order, so no
/// more than a page of each is ever held.
///
/// Invariants:
/// - A chunk comes once, with the entry of every node that lists it.
/// - Nothing is said while a node's next entry is not known.
struct ListingMerge {
    /// The place of an id in every list: the first 16 bytes of its SHA-256.
    private struct Place: Comparable {
        let high: UInt64
        let low: UInt64

        init(_ id: ChunkID) { (high, low) = SHA256.digest(of: Array(id.description.utf8)).prefix }

        static func < (a: Place, b: Place) -> Bool { (a.high, a.low) < (b.high, b.low) }
    }

    private struct Source {
        let voter: Membership.Member
        /// In the list's order reversed, so that the next one is the last.
        var waiting: [(place: Place, entry: AcceptorListing.Entry)] = []
        var last: Place?
        var isEnded = false
    }

    /// What the nodes have of one chunk, in the order of the nodes, and which memory each speaks for.
    typealias Found = (id: ChunkID, entries: [(voter: Membership.Member, entry: AcceptorListing.Entry)])

    private var sources: [Source]

    init(_ voters: [Membership.Member]) { sources = voters.map { Source(voter: $0) } }

    /// Nodes whose next page is needed before anything can be said.
    var wanted: [NodeID] { sources.filter { $0.waiting.isEmpty && !$0.isEnded }.map(\.voter.node) }

    /// The node's next page. May be empty without being the last.
    /// - Throws: ``Failure`` when the node lists in another order.
    mutating func onPage(of node: NodeID, _ entries: [AcceptorListing.Entry], isLast: Bool) throws(Failure) {
        guard let index = sources.firstIndex(where: { $0.voter.node == node }) else { return }
        var last = sources[index].last
        var placed: [(place: Place, entry: AcceptorListing.Entry)] = []
        for entry in entries {
            let place = Place(entry.chunkId)
            guard last.map({ $0 < place }) ?? true else {
                throw Failure(.corrupt, "node '\(node)' does not list its chunks in order: is it another version?")
            }
            last = place
            placed.append((place, entry))
        }
        sources[index].last = last
        sources[index].isEnded = isLast
        sources[index].waiting = placed.reversed() + sources[index].waiting
    }

    /// The next chunk; nil while a page is wanted, or at the end of all lists.
    mutating func next() -> Found? {
        guard wanted.isEmpty, let place = sources.compactMap({ $0.waiting.last?.place }).min() else { return nil }
        var entries: [(voter: Membership.Member, entry: AcceptorListing.Entry)] = []
        for index in sources.indices where sources[index].waiting.last?.place == place {
            entries.append((sources[index].voter, sources[index].waiting.removeLast().entry))
        }
        return (entries[0].entry.chunkId, entries)
    }
}
