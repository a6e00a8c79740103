import ChunkStore

/// How a node is, in one word and the sentences behind it.
struct HealthVerdict: Equatable {
    /// In order of severity.
    private enum Level: String {
        /// It refuses writes.
        case critical
        /// It lost, or cannot read, something that it once acknowledged.
        case degraded
        case warning
    }

    /// `healthy`, `warning`, `degraded` or `critical`: the worst that is the case.
    let status: String
    /// Everything that is the case; nil when the node is healthy.
    let reason: String?
    /// What keeps the node from doing all that a node should: take chunks, vote on them, give out what it took. No new
    /// video is placed on it while others are there. nil when it can do all of it.
    let impairment: String?

    init(_ statistics: ChunkStoreStatistics, diskPercent: Double, _ configuration: StorageNodeConfiguration) {
        var findings: [(level: Level, reason: String)] = []
        if let reason = statistics.readOnlyReason {
            findings.append((.critical, "read-only until restarted: \(reason)"))
        }
        if diskPercent > configuration.diskCriticalPercent {
            findings.append((.critical, "the disk is \(diskPercent) % full; writes are refused"))
        } else if statistics.isDiskFull {
            findings.append((.critical, "the disk refused a write for want of space; writes are refused"))
        }
        if statistics.corruptRecords > 0 {
            findings.append((.degraded, Self.lost(statistics)))
        }
        if statistics.corruptChunks > 0 {
            let chunks = statistics.corruptChunks == 1 ? "1 chunk is" : "\(statistics.corruptChunks) chunks are"
            findings.append((.degraded, "\(chunks) damaged on disk and not served until stored again"))
        }
        if diskPercent >= configuration.diskWarningPercent, diskPercent <= configuration.diskCriticalPercent {
            findings.append((.warning, "the disk is \(diskPercent) % full"))
        }
        // A store that is read-only has nothing to keep up, and says why above.
        if let failure = statistics.upkeepFailure, statistics.readOnlyReason == nil {
            findings.append((.warning, "compaction and checkpoints do not go on: \(failure)"))
        }
        status = findings.first?.level.rawValue ?? "healthy"
        reason = Self.joined(findings.map(\.reason))
        impairment = Self.joined(findings.filter { $0.level != .warning }.map(\.reason))
    }

    private static func lost(_ statistics: ChunkStoreStatistics) -> String {
        let stretches =
            statistics.corruptRecords == 1
            ? "1 stretch of its log is" : "\(statistics.corruptRecords) stretches of its log are"
        let files = statistics.lostSuperblocks == 0 ? "" : ", \(statistics.lostSuperblocks) of them whole superblocks"
        return "\(stretches) lost (\(statistics.corruptRecordBytes) bytes\(files)), so it has no vote"
    }

    private static func joined(_ reasons: [String]) -> String? {
        reasons.isEmpty ? nil : reasons.joined(separator: "; ")
    }
}
