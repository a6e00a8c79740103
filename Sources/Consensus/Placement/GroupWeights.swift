import Foundation

/// How often each group has to be chosen for every node to get the share that is due to it.
enum GroupWeights {
    /// A node that lies behind is to have caught up when the others have grown by this part; one that is so much fuller
    /// than the others gets next to nothing.
    static let horizon = 0.1
    /// No node gets more than so many times what is its part, or less than that, so that one that has just joined is
    /// not the only one to be written to, and none is ever left out.
    static let shareFactors = 0.02...8.0
    /// What nodes hold on average is taken for at least this part of a disk, so that the first few videos of an empty
    /// system do not count as an imbalance.
    static let levelMin = 1e-4
    /// Enough for a few per cent of exactness.
    private static let iterations = 60

    /// What is due to each node, relative to the others: more to large disks, and to those that lie behind.
    static func shares(of nodes: [Placement.Candidate]) -> [Double] {
        let known = nodes.compactMap(\.space)
        guard !known.isEmpty else { return nodes.map { _ in 1 } }
        let capacity = known.reduce(0) { $0 + Double($1.capacityBytes) }
        let level = max(levelMin, known.reduce(0) { $0 + Double($1.storedBytes) } / capacity)
        return nodes.map { node in
            guard let space = node.space else { return 1 }
            let factor = 1 + (1 - space.level / level) / horizon
            let bounded = min(max(factor, shareFactors.lowerBound), shareFactors.upperBound)
            return bounded * Double(space.capacityBytes) * Double(known.count) / capacity
        }
    }

    /// The weights that add up to each node's share, as nearly as the groups allow: a weight is the product of its
    /// members' factors, and the factors are found by iterative scaling (Darroch and Ratcliff, 1972), which never gets
    /// worse from one step to the next.
    /// - Parameters:
    ///   - members: of all groups, one after the other, by their place in `shares`.
    ///   - size: how many of them are a group.
    static func weights(ofGroupsWith members: [Int], size: Int, shares: [Double]) -> [Double] {
        precondition(size > 0 && members.count.isMultiple(of: size), "a group is not whole")
        var factors = shares
        var weights = [Double](repeating: 0, count: members.count / size)
        multiply(factors, members, size, into: &weights)
        let due = shares.reduce(0, +)
        for _ in 0..<iterations {
            var loads = [Double](repeating: 0, count: shares.count)
            for place in members.indices { loads[members[place]] += weights[place / size] }
            let scale = loads.reduce(0, +) / due
            for index in factors.indices where loads[index] > 0 {
                factors[index] *= pow(shares[index] * scale / loads[index], 1 / Double(size))
            }
            multiply(factors, members, size, into: &weights)
        }
        return weights
    }

    private static func multiply(_ factors: [Double], _ members: [Int], _ size: Int, into weights: inout [Double]) {
        for group in weights.indices {
            var weight = 1.0
            for place in group * size..<(group + 1) * size { weight *= factors[members[place]] }
            weights[group] = weight
        }
    }
}
