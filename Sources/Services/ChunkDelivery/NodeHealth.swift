import Base

/// Which storage nodes are worth a try. Pure.
///
/// A node is `up`, and can become `down` by several failures in a row; down, it is left alone until its time is over,
/// and is then up with one failure left.
package struct NodeHealth: Sendable {
    static let failuresMax = 3
    static let downSeconds = 5.0

    private struct Record {
        var failures = 0
        var downUntil: Timestamp?
    }

    private var records: [NodeID: Record] = [:]

    package init() {}

    package func isUp(_ node: NodeID, now: Timestamp) -> Bool {
        guard let until = records[node]?.downUntil else { return true }
        return now >= until
    }

    package mutating func onSuccess(_ node: NodeID) { records[node] = nil }

    package mutating func onFailure(_ node: NodeID, now: Timestamp) {
        var record = records[node] ?? Record()
        record.failures += 1
        if record.failures >= Self.failuresMax { record.downUntil = now.adding(seconds: Self.downSeconds) }
        records[node] = record
    }
}
