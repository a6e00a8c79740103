import Base
import Catalog
import ChunkPaxos
import MetadataAPI
import Placement
import StorageNodeAPI

// Answers that no other service reads by type.

struct ServiceMessage: Encodable {
    let message: String
    let version: String
}

struct StatisticsMessage: Encodable {
    let totalVideos: Int
    let totalChunks: Int
    let totalReplicas: Int
    let healthyNodes: Int
    let serviceVersion: String
}

struct VideoStatusMessage: Encodable {
    let videoId: VideoID
    let status: VideoStatus
}

struct PopularityMessage: Encodable {
    let videoId: VideoID
    let viewCount: Int
}

struct OutcomeMessage: Encodable {
    let status: String
    let message: String
}

struct NodesMessage: Encodable {
    let nodes: [NodeSummary]
}

struct HealthSummaryMessage: Encodable {
    let healthy: Int
    let degraded: Int
    let down: Int
}

struct RegisteredMessage: Encodable {
    let status: String
    let nodeId: NodeID
    let nodeUrl: String
}

/// The body of a commit's 409.
struct CommitConflictMessage: Encodable {
    let detail: String
    let chosen: ChunkValue
}

struct FragmentsMessage: Encodable {
    struct Fragment: Encodable {
        let fragmentId: ChunkID
        let fragmentIndex: Int
        let nodeUrl: String
        let sizeBytes: Int
        let checksum: SHA256Digest
        let status: String
    }

    let chunkId: ChunkID
    let fragments: [Fragment]
}

/// `GET /consensus/{chunk_id}`
struct ConsensusMessage: Encodable {
    struct AcceptorMessage: Encodable {
        let nodeId: NodeID
        let nodeUrl: String
        /// The acceptor that decides, and the one that the node is now: another one has no vote.
        let acceptorId: AcceptorID?
        let presentAcceptorId: AcceptorID?
        /// Which version of the chunk it votes in.
        let version: UInt32?
        /// Why there is nothing else to say of the node.
        let error: String?
        let promisedBallot: Ballot?
        let acceptedBallot: Ballot?
        let acceptedValue: ChunkValue?
        let storedChecksum: SHA256Digest?
        let storedSizeBytes: Int?
    }

    let chunkId: ChunkID
    /// Rounds of the highest ballots; the acceptors' own lines have the ballots whole.
    let promisedBallot: UInt32?
    let acceptedBallot: UInt32?
    /// JSON array, as text, of the nodes that the accepted value names.
    let acceptedValue: String?
    /// The placement group, and how many of its members make a quorum.
    let group: String
    let quorum: Int
    /// `idle`, `promised`, `accepted` (by some), `chosen` (by a majority), `committed` (recorded), `conflict`.
    let phase: String
    let acceptors: [AcceptorMessage]

    init(_ id: ChunkID, _ survey: AcceptorSurvey, _ nodes: NodeView, isRecorded: Bool) {
        let reports = survey.members.compactMap { survey.reports[$0.nodeId] }
        let accepted = reports.compactMap { report in report.acceptedBallot.map { ($0, report.acceptedValue) } }
            .max { $0.0 < $1.0 }
        chunkId = id
        group = survey.terms.group.id
        quorum = survey.terms.configuration.membership.quorum
        promisedBallot = reports.compactMap(\.promisedBallot).max()?.round
        acceptedBallot = accepted?.0.round
        acceptedValue = accepted?.1.flatMap { value in
            let urls = value.nodes.map { nodes.entry($0)?.node.url ?? $0.description }
            return (try? JSON.encode(urls)).map { String(decoding: $0, as: UTF8.self) }
        }
        phase = Self.phase(survey, isRecorded: isRecorded, isPromised: promisedBallot != nil)
        acceptors = survey.members.map { member in
            let report = survey.reports[member.nodeId]
            return AcceptorMessage(
                nodeId: member.nodeId, nodeUrl: member.nodeUrl, acceptorId: member.acceptorId,
                presentAcceptorId: report?.acceptorId, version: report.map { $0.configuration?.version ?? 0 },
                error: survey.failures[member.nodeId] ?? (report == nil ? "it was not waited for" : nil),
                promisedBallot: report?.promisedBallot, acceptedBallot: report?.acceptedBallot,
                acceptedValue: report?.acceptedValue, storedChecksum: report?.storedChecksum,
                storedSizeBytes: report?.storedSizeBytes)
        }
    }

    private static func phase(_ survey: AcceptorSurvey, isRecorded: Bool, isPromised: Bool) -> String {
        if isRecorded { return "committed" }
        switch survey.verdict {
        case .chosen, .superseded: return "chosen"
        case .conflict: return "conflict"
        case .undecided: return "accepted"
        case .empty, .unknown:
            let isAccepted = survey.reports.values.contains { $0.acceptedBallot != nil }
            return isAccepted ? "accepted" : isPromised ? "promised" : "idle"
        }
    }

    private enum Key: CodingKey {
        case chunkId, promisedBallot, acceptedBallot, acceptedValue, phase, group, quorum, acceptors
    }

    /// The four fields are always there, null where there is nothing.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(chunkId, forKey: .chunkId)
        try container.encode(promisedBallot, forKey: .promisedBallot)
        try container.encode(acceptedBallot, forKey: .acceptedBallot)
        try container.encode(acceptedValue, forKey: .acceptedValue)
        try container.encode(phase, forKey: .phase)
        try container.encode(group, forKey: .group)
        try container.encode(quorum, forKey: .quorum)
        try container.encode(acceptors, forKey: .acceptors)
    }
}
