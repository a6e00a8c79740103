import Base

/// What a rebuild found, and what it did not. Also the JSON that `vstack metadata rebuild --json` prints.
package struct RebuildReport: Encodable, Sendable {
    /// Videos that are named; of more only the number is told.
    static let namedMax = 1000

    package struct NodeLine: Encodable, Sendable {
        package let nodeUrl: String
        package var nodeId: NodeID?
        /// Chunks and acceptors that it listed.
        package var entryCount = 0
        package var unreadableCount = 0
        /// Why it was not read.
        package var error: String?
    }

    package struct VideoLine: Encodable, Sendable {
        package let videoId: VideoID
        package let title: String?
        /// What is missing, and why.
        package let reasons: [String]
        /// Whether it is in the catalog nonetheless, with what there is of it.
        package let isEntered: Bool
    }

    package internal(set) var databasePath: String
    /// Whether the new catalog stands under its name.
    package internal(set) var isInstalled = false
    /// Where the catalog that was there before is now.
    package internal(set) var replacedPath: String?
    package internal(set) var nodes: [NodeLine] = []
    package internal(set) var videoCount = 0
    package internal(set) var chunkCount = 0
    package internal(set) var replicaCount = 0
    /// Videos that are deleted, and whose chunks are still to go.
    package internal(set) var deletedCount = 0
    /// Chunks on which the nodes had not agreed for good, and now have.
    package internal(set) var finishedCount = 0
    /// Chunks that were stored or promised, and never agreed on: no catalog ever named them.
    package internal(set) var uncommittedCount = 0
    package internal(set) var incompleteCount = 0
    package internal(set) var incomplete: [VideoLine] = []
    /// Chunks whose entries make no sense, and why; at most 1000.
    package internal(set) var nonsense: [String] = []
    package internal(set) var seconds = 0.0

    /// Whether nothing is missing.
    package var isWhole: Bool { incompleteCount == 0 && nonsense.isEmpty }

    mutating func add(_ line: VideoLine) {
        incompleteCount += 1
        if incomplete.count < Self.namedMax { incomplete.append(line) }
    }

    mutating func add(nonsense reasons: [String]) {
        nonsense += reasons.prefix(max(0, Self.namedMax - nonsense.count))
    }
}
