/// What is known of the nodes from the reads that went to them, and the order in which to try them next.
///
/// Invariants:
/// - An order holds every replica it was asked about, once each: a node is put last, never left out.
/// - A node is put last for a while after it failed, twice as long with every failure in a row; one success ends it.
/// - At most ``nodesMax`` nodes are remembered; the one that was heard of longest ago is forgotten first.
package struct NodeScoreboard: Sendable {
    package typealias Instant = ContinuousClock.Instant

    /// How long one failure puts a node last, and how long any number of them at most.
    package static let penaltyFirst: Duration = .seconds(5)
    package static let penaltyMax: Duration = .seconds(60)
    package static let nodesMax = 4096

    private struct Node {
        var failuresInARow = 0
        var isLastUntil: Instant?
        var activeDownloads = 0
        var heardOfAt: Instant
    }

    private var nodes: [String: Node] = [:]

    package init() {}

    /// The replicas in the order to try them: first those that work, the least busy before the others; then those that
    /// failed of late, the one whose time is up first before the others. Otherwise they stay as they were given.
    package func order(_ replicas: [String], now: Instant) -> [String] {
        let ranked = replicas.enumerated().map { index, replica in
            let node = nodes[replica]
            let wait = node?.isLastUntil.map { max($0 - now, .zero) } ?? .zero
            return (replica: replica, wait: wait, busy: node?.activeDownloads ?? 0, index: index)
        }
        return ranked.sorted { ($0.wait, $0.busy, $0.index) < ($1.wait, $1.busy, $1.index) }.map(\.replica)
    }

    package mutating func onStart(_ node: String, now: Instant) { update(node, now) { $0.activeDownloads += 1 } }

    /// A read ended, in whatever way.
    package mutating func onEnd(_ node: String, now: Instant) {
        update(node, now) { $0.activeDownloads = max(0, $0.activeDownloads - 1) }
    }

    package mutating func onSuccess(_ node: String, now: Instant) {
        update(node, now) { node in
            node.failuresInARow = 0
            node.isLastUntil = nil
        }
    }

    /// The node did not answer, or not in time.
    package mutating func onFailure(_ node: String, now: Instant) {
        update(node, now) { node in
            // Several reads that fail together are one failure.
            if let until = node.isLastUntil, until > now { return }
            node.failuresInARow += 1
            let doublings = min(node.failuresInARow - 1, 8)
            node.isLastUntil = now + min(Self.penaltyFirst * (1 << doublings), Self.penaltyMax)
        }
    }

    private mutating func update(_ name: String, _ now: Instant, _ change: (inout Node) -> Void) {
        if nodes[name] == nil, nodes.count >= Self.nodesMax { forgetOne() }
        var node = nodes[name] ?? Node(heardOfAt: now)
        node.heardOfAt = now
        change(&node)
        nodes[name] = node
    }

    private mutating func forgetOne() {
        let oldest = nodes.min { ($0.value.heardOfAt, $0.key) < ($1.value.heardOfAt, $1.key) }
        if let oldest { nodes[oldest.key] = nil }
    }
}
