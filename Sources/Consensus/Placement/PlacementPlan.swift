import Base
import Digests
import Foundation

/// Groups and how much each is to get, as of one moment.
package struct PlacementPlan: Hashable, Sendable {
    /// The groups that a video may get.
    package let groups: [PlacementGroup]
    private let hashes: [UInt64]
    private let weights: [Double]

    /// - Parameter copysets: of all nodes, whatever their health, so that they stay the same while nodes come and go.
    package init(_ copysets: Copysets, _ nodes: [Placement.Candidate]) {
        groups = Self.usable(copysets, nodes)
        hashes = groups.map(\.hash)
        weights = Self.weights(of: groups, nodes)
    }

    package func group(for video: VideoID) -> PlacementGroup? {
        let hash = Self.hash(video.description)
        var best: (index: Int, score: Double)?
        for index in groups.indices {
            let score = Self.score(hash ^ hashes[index], weight: weights[index])
            if best.map({ $0.score < score }) ?? true { best = (index, score) }
        }
        return best.map { groups[$0.index] }
    }

    private static func weights(of groups: [PlacementGroup], _ nodes: [Placement.Candidate]) -> [Double] {
        let indices = Dictionary(nodes.enumerated().map { ($1.id, $0) }) { first, _ in first }
        guard let size = groups.first?.members.count else { return [] }
        return GroupWeights.weights(
            ofGroupsWith: groups.flatMap { $0.members.compactMap { indices[$0] } }, size: size,
            shares: GroupWeights.shares(of: nodes))
    }

    /// Of the groups whose members are all healthy, and of those that healthy nodes form among themselves where such a
    /// node is left out.
    private static func usable(_ copysets: Copysets, _ nodes: [Placement.Candidate]) -> [PlacementGroup] {
        let healthy = nodes.filter(\.isHealthy)
        guard healthy.count >= Placement.groupSize else { return Self.makeshift(healthy, nodes) }
        let ids = Set(healthy.map(\.id))
        let groups = copysets.groups.filter {
            $0.members.count == Placement.groupSize && ids.isSuperset(of: $0.members)
        }
        let placed = groups.reduce(into: Set<NodeID>()) { $0.formUnion($1.members) }
        guard placed.count < ids.count else { return groups }
        let others = Copysets(healthy).groups.filter { !placed.isSuperset(of: $0.members) }
        return groups + others.filter { !groups.contains($0) }
    }

    /// Too few nodes are healthy: all of them, and as many others as it takes.
    private static func makeshift(
        _ healthy: [Placement.Candidate], _ nodes: [Placement.Candidate]
    ) -> [PlacementGroup] {
        guard !nodes.isEmpty else { return [] }
        let others = nodes.filter { !$0.isHealthy }.map { (hash: hash($0.id.description), id: $0.id) }
            .sorted { ($0.hash, $0.id) < ($1.hash, $1.id) }
        return [
            PlacementGroup(members: (healthy.map(\.id) + others.map(\.id)).prefix(Placement.groupSize))
        ]
    }

    private static func hash(_ text: String) -> UInt64 { SHA256.digest(of: Array(text.utf8)).prefix.0 }

    /// Each group draws a number in (0, 1), the same for the same video; the highest of their weight-th roots wins
    /// with a probability that is the weight's share (Efraimidis and Spirakis, 2006).
    private static func score(_ mixed: UInt64, weight: Double) -> Double {
        var word = mixed
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        word ^= word >> 31
        return log((Double(word >> 11) + 0.5) / Double(1 << 53 as UInt64)) / weight
    }
}
