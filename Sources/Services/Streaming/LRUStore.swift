/// Values by key within a bound on their cost; what was used longest ago goes first.
///
/// A use costs one look into a table and moves a few indices, so it allocates nothing.
///
/// Invariants:
/// - `cost` is the sum over all nodes in use and never over `costMax` between calls.
/// - The nodes in use are one list from `newest` to `oldest`; the others are named in `unused`.
struct LRUStore<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Node {
        let key: Key
        var value: Value
        var cost: Int
        var newer: Int?
        var older: Int?
    }

    let costMax: Int
    private(set) var cost = 0
    private var indices: [Key: Int] = [:]
    private var nodes: [Node?] = []
    private var unused: [Int] = []
    private var newest: Int?
    private var oldest: Int?

    init(costMax: Int) { self.costMax = costMax }

    var count: Int { indices.count }

    /// The value, which then counts as just used.
    mutating func value(for key: Key) -> Value? {
        guard let index = indices[key] else { return nil }
        if newest != index {
            unlink(index)
            link(index)
        }
        return nodes[index]?.value
    }

    /// Keeps the value; one that costs more than all that may be kept is not kept at all.
    mutating func set(_ value: Value, for key: Key, cost: Int) {
        remove(key)
        guard cost <= costMax else { return }
        let node = Node(key: key, value: value, cost: cost)
        if let index = unused.popLast() {
            nodes[index] = node
            indices[key] = index
        } else {
            indices[key] = nodes.count
            nodes.append(node)
        }
        self.cost += cost
        if let index = indices[key] { link(index) }
        while self.cost > costMax, let oldest, let key = nodes[oldest]?.key { remove(key) }
    }

    mutating func remove(_ key: Key) {
        guard let index = indices.removeValue(forKey: key) else { return }
        unlink(index)
        cost -= nodes[index]?.cost ?? 0
        nodes[index] = nil
        unused.append(index)
    }

    /// As the newest.
    private mutating func link(_ index: Int) {
        nodes[index]?.newer = nil
        nodes[index]?.older = newest
        if let newest { nodes[newest]?.newer = index } else { oldest = index }
        newest = index
    }

    private mutating func unlink(_ index: Int) {
        guard let newer = nodes[index].map(\.newer), let older = nodes[index].map(\.older) else { return }
        if let newer { nodes[newer]?.older = older } else { newest = older }
        if let older { nodes[older]?.newer = newer } else { oldest = newer }
    }
}
