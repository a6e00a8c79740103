import Base
import Catalog
import MetadataAPI
import Placement

/// What is known of the storage nodes, and how well they are.
///
/// Invariants:
/// - A status follows from the last heartbeat, its report and recent answers; it is never stored as truth.
/// - `copysets` follow from the ids and zones of all nodes alone, well or not.
/// - `version` grows with every change that a manifest could show: a URL, a disk, a status, a corrupt chunk, a new node.
struct NodeDirectory {
    /// From this share of the disk on a node is `degraded`.
    static let diskWarningPercent = 85.0
    /// From this share of the disk on a node refuses writes, so no new group gets it.
    static let diskCriticalPercent = 95.0
    /// An answer slower than this makes a node `degraded` for a while.
    static let slowAnswerSec = 1.0
    static let slowForSec = 30.0

    struct Entry: Sendable {
        var node: Node
        /// `healthy`, `degraded` and `down` can each become the others.
        fileprivate(set) var status: NodeStatus
        fileprivate var slowUntil: Timestamp?
    }

    /// In order of id.
    private(set) var entries: [Entry]
    private(set) var version = 0
    /// nil until they are asked for, and after a node joined or changed its zone.
    private var knownCopysets: Copysets?
    private let timeoutSec: Double
    /// No status can change by itself before this.
    private var recheckAt: Timestamp

    init(nodes: [Node], timeoutSec: Double, now: Timestamp) {
        self.timeoutSec = timeoutSec
        entries = nodes.sorted { $0.id < $1.id }.map { Entry(node: $0, status: .down) }
        recheckAt = now
        recheck(now)
    }

    mutating func onRegister(_ node: Node, now: Timestamp) {
        if let index = index(of: node.id) {
            replace(index, with: node)
        } else {
            entries.append(Entry(node: node, status: .down))
            entries.sort { $0.node.id < $1.node.id }
            version += 1
            knownCopysets = nil
        }
        recheck(now)
    }

    /// The groups that new videos may be placed on.
    mutating func copysets() -> Copysets {
        if let knownCopysets { return knownCopysets }
        let copysets = Copysets(entries.map { Placement.Candidate($0) })
        knownCopysets = copysets
        return copysets
    }

    /// - Returns: false when the node never registered.
    mutating func onHeartbeat(of id: NodeID, _ report: NodeReport, now: Timestamp) -> Bool {
        guard let index = index(of: id) else { return false }
        let node = entries[index].node
        replace(
            index,
            with: Node(
                id: id, url: node.url, version: node.version, zone: node.zone, lastHeartbeat: now, report: report,
                acceptor: node.acceptor, proofKey: node.proofKey))
        recheck(now)
        return true
    }

    /// What the catalog knows, where it has heard of a node later: from another service that nodes talk to.
    mutating func onCatalog(_ nodes: [Node], now: Timestamp) {
        for node in nodes {
            guard let index = index(of: node.id) else {
                onRegister(node, now: now)
                continue
            }
            if node.lastHeartbeat > entries[index].node.lastHeartbeat { replace(index, with: node) }
        }
        recheck(now)
    }

    private mutating func replace(_ index: Int, with node: Node) {
        let old = entries[index].node
        if old.url != node.url || old.acceptor != node.acceptor || old.report.corruptChunks != node.report.corruptChunks
        {
            version += 1
        }
        if old.zone != node.zone { knownCopysets = nil }
        entries[index].node = node
    }

    /// The node took this long to answer, or to fail to.
    mutating func onAnswer(of id: NodeID, seconds: Double, now: Timestamp) {
        guard seconds > Self.slowAnswerSec, let index = index(of: id) else { return }
        entries[index].slowUntil = now.adding(seconds: Self.slowForSec)
        recheck(now)
    }

    /// Brings statuses up to `now`. Costs nothing until one can have changed.
    mutating func refresh(now: Timestamp) {
        if now >= recheckAt { recheck(now) }
    }

    private mutating func recheck(_ now: Timestamp) {
        recheckAt = now.adding(seconds: timeoutSec)
        for index in entries.indices {
            let status = status(of: entries[index], now)
            if status != entries[index].status { version += 1 }
            entries[index].status = status
            let silentAt = entries[index].node.lastHeartbeat.adding(seconds: timeoutSec)
            if status != .down { recheckAt = min(recheckAt, silentAt) }
            if let slowUntil = entries[index].slowUntil, slowUntil > now { recheckAt = min(recheckAt, slowUntil) }
        }
    }

    private func status(of entry: Entry, _ now: Timestamp) -> NodeStatus {
        if now.seconds(since: entry.node.lastHeartbeat) >= timeoutSec { return .down }
        let report = entry.node.report
        let isSlow = entry.slowUntil.map { $0 > now } ?? false
        let isFull = report.diskUsagePercent >= Self.diskWarningPercent
        return isFull || !report.corruptChunks.isEmpty || report.impairment != nil || isSlow ? .degraded : .healthy
    }

    private func index(of id: NodeID) -> Int? { entries.firstIndex { $0.node.id == id } }
}

extension Placement.Candidate {
    init(_ entry: NodeDirectory.Entry) {
        self.init(
            id: entry.node.id, isHealthy: entry.status == .healthy, zone: entry.node.zone,
            space: entry.node.report.space)
    }
}
