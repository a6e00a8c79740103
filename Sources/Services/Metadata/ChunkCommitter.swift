import Base
import Catalog
import ChunkPaxos
import MetadataAPI
import Placement

/// Learns a chunk's value from its acceptors and records it; finishes the agreement where nobody has.
struct ChunkCommitter: Sendable {
    /// How often a value is proposed before the commit is refused, and how long it waits in between.
    struct Policy: Sendable {
        var attemptsMax = 6
        /// Half of the first wait at most; each further one is up to twice as long.
        var backoff = Duration.milliseconds(20)
    }

    enum Outcome: Sendable {
        /// Recorded, with these holders.
        case committed([NodeID])
        /// The chunk has another value for good.
        case conflict(chosen: ChunkValue)
    }

    let catalog: any Catalog
    let registry: NodeRegistry
    let gateway: any AcceptorGateway
    let translation: URLTranslation
    let proposers: ProposerNumbers
    let policy: Policy
    let time: any TimeSource

    /// What is known of the chunk before anybody is asked.
    private struct Context {
        let id: ChunkID
        let request: CommitRequest
        let stream: ChunkStream
        let group: PlacementGroup
        let membership: Membership
        let members: [GroupMember]
        /// Members that the request says hold the bytes.
        let named: Set<NodeID>
    }

    /// - Throws: ``Failure``, ``CatalogError`` or ``CancellationError``.
    func commit(_ id: ChunkID, _ request: CommitRequest) async throws -> Outcome {
        try Self.check(request)
        guard let video = try await catalog.video(request.videoId) else {
            throw Failure(.notFound, "there is no video \(request.videoId)")
        }
        guard video.status != .failed else {
            throw Failure(.conflict, "video \(video.id) has failed and takes no more chunks")
        }
        guard let group = try await catalog.placementGroup(video.group) else {
            throw Failure(.corrupt, "the placement group of video \(video.id) is not in the catalog")
        }
        let context = try context(id, request, group)
        if let known = try await catalog.chunk(id) {
            guard matches(known, context) else {
                return .conflict(chosen: ChunkValue(known, group: group))
            }
            if context.named.isSubset(of: known.replicas) { return .committed(known.replicas) }
        }
        return try await settle(context)
    }

    /// Asks the acceptors until a value is chosen, proposing the request's where nothing stands against it.
    private func settle(_ context: Context) async throws -> Outcome {
        var backoff = Backoff(unit: policy.backoff)
        for attempt in 0..<policy.attemptsMax {
            let survey = await AcceptorSurvey.take(
                of: context.id, members: context.members, membership: context.membership, awaiting: context.named,
                registry: registry,
                gateway: gateway)
            switch survey.verdict {
            case .chosen(let accepted, _):
                return try await conclude(try ChunkValue(encoded: accepted.value), survey, context)
            case .unknown: throw unavailable(survey, context)
            case .conflict: throw inconsistent(context)
            case .superseded: throw moved(context)
            case .empty, .undecided:
                try requireHolders(survey, context)
                if attempt > 0 { try await Task.sleep(for: backoff.onFailure(random: .random(in: 0...UInt64.max))) }
                try await propose(survey, context)
            }
        }
        throw Failure(
            .unavailable,
            "the acceptors of chunk \(context.id) did not agree in \(policy.attemptsMax) attempts: try again later")
    }

    private func propose(_ survey: AcceptorSurvey, _ context: Context) async throws {
        let request = context.request
        let value = ChunkValue(
            videoId: request.videoId, stream: context.stream, sequence: request.sequenceNum,
            sizeBytes: request.sizeBytes, checksum: request.checksum, group: context.group.id,
            nodes: context.group.members, startSec: request.startSec ?? 0, durationSec: request.durationSec ?? 0)
        let proposer = Proposer(
            membership: context.membership, proposer: proposers.next(), value: try value.encoded(),
            roundSeenMax: survey.roundSeenMax)
        let run = ProposalRun(chunk: context.id, members: context.members, gateway: gateway)
        if await run.run(proposer) == .inconsistent { throw inconsistent(context) }
    }

    /// Records what was chosen, if it is what the request says.
    private func conclude(
        _ value: ChunkValue, _ survey: AcceptorSurvey, _ context: Context
    ) async throws -> Outcome {
        let request = context.request
        guard value.videoId == request.videoId, value.stream == context.stream, value.sequence == request.sequenceNum,
            value.sizeBytes == request.sizeBytes, value.checksum == request.checksum,
            value.redundancyMode == .replication
        else { return .conflict(chosen: value) }
        try requireHolders(survey, context)
        let chunk = Chunk(
            id: context.id, video: value.videoId, stream: value.stream, sequence: value.sequence,
            sizeBytes: value.sizeBytes, checksum: value.checksum, redundancyMode: value.redundancyMode,
            startSec: value.startSec, durationSec: value.durationSec,
            replicas: survey.holders(of: value.checksum, sizeBytes: value.sizeBytes))
        return .committed(try await catalog.recordChunk(chunk, at: time.now()).replicas)
    }
}

extension ChunkCommitter {
    private static let nodeURLsMax = 64
    /// Far more chunks than any video has, so that what follows the last one is still a number.
    private static let sequenceNumMax = Int(Int32.max)

    private static func check(_ request: CommitRequest) throws(Failure) {
        func refuse(_ message: String) -> Failure { Failure(.invalidArgument, message) }
        guard request.sizeBytes > 0 else { throw refuse("'size_bytes' must be 1 or more") }
        guard (0...sequenceNumMax).contains(request.sequenceNum) else {
            throw refuse("'sequence_num' must be 0 to \(sequenceNumMax)")
        }
        let seconds = 0...MetadataService.durationSecMax
        guard seconds.contains(request.startSec ?? 0), seconds.contains(request.durationSec ?? 0) else {
            throw refuse("'start_sec' and 'duration_sec' must be 0 to \(MetadataService.durationSecMax)")
        }
        guard (1...nodeURLsMax).contains(request.nodeUrls.count) else {
            throw refuse("'node_urls' must name 1 to \(nodeURLsMax) storage nodes")
        }
        guard request.redundancyMode ?? .replication == .replication else {
            throw refuse("'redundancy_mode' must be replication: whole chunks are committed before they are coded")
        }
    }

    private func context(_ id: ChunkID, _ request: CommitRequest, _ group: PlacementGroup) throws(Failure) -> Context {
        let membership = try group.membership()
        let nodes = registry.view
        let members = group.members.compactMap { member in
            nodes.entry(member).map { GroupMember(nodeId: member, nodeUrl: $0.node.url) }
        }
        guard members.count == group.members.count else {
            throw Failure(.unavailable, "a member of placement group \(group.id) has not registered")
        }
        var named: Set<NodeID> = []
        for text in request.nodeUrls {
            guard let url = NodeURL(text)?.text else {
                throw Failure(.invalidArgument, "'\(text.prefix(80))' in 'node_urls' is no http or https URL")
            }
            let member = members.first { $0.nodeUrl == url || translation.external($0.nodeUrl) == url }
            guard let member else {
                let urls = members.map(\.nodeUrl).joined(separator: ", ")
                throw Failure(
                    .conflict, "\(url) is not in placement group \(group.id) of video \(request.videoId): \(urls)")
            }
            named.insert(member.nodeId)
        }
        return Context(
            id: id, request: request, stream: request.stream ?? .source, group: group, membership: membership,
            members: members,
            named: named)
    }

    private func matches(_ chunk: Chunk, _ context: Context) -> Bool {
        let request = context.request
        return chunk.video == request.videoId && chunk.stream == context.stream
            && chunk.sequence == request.sequenceNum && chunk.sizeBytes == request.sizeBytes
            && chunk.checksum == request.checksum
    }

    /// - Throws: ``Failure`` (409, naming the nodes that lack them; 503 where the others did not answer) unless a
    ///   majority of the group holds the request's bytes.
    private func requireHolders(_ survey: AcceptorSurvey, _ context: Context) throws(Failure) {
        let holders = survey.holders(of: context.request.checksum, sizeBytes: context.request.sizeBytes)
        guard holders.count < context.group.majority else { return }
        let lacking = context.members.filter { survey.reports[$0.nodeId] != nil && !holders.contains($0.nodeId) }
        guard context.members.count - lacking.count < context.group.majority || survey.failures.isEmpty else {
            throw unavailable(survey, context)
        }
        let names = lacking.map(\.nodeUrl).joined(separator: ", ")
        throw Failure(
            .conflict,
            "chunk \(context.id) with checksum \(context.request.checksum.tagged) is not held by \(names): "
                + "\(context.group.majority) of \(context.members.count) nodes must hold it")
    }

    private func unavailable(_ survey: AcceptorSurvey, _ context: Context) -> Failure {
        let silent = context.members.compactMap { member in
            survey.failures[member.nodeId].map { "\(member.nodeUrl) (\($0))" }
        }
        return Failure(
            .unavailable,
            "no majority of the nodes of placement group \(context.group.id) could answer for chunk \(context.id): "
                + silent.joined(separator: ", "))
    }

    private func moved(_ context: Context) -> Failure {
        Failure(.conflict, "chunk \(context.id) was committed before and has moved since: read it anew")
    }

    private func inconsistent(_ context: Context) -> Failure {
        Failure(
            .conflict,
            "the acceptors of chunk \(context.id) hold two values under one ballot: upload the video anew")
    }
}

extension ChunkValue {
    /// What was decided about a recorded chunk.
    init(_ chunk: Chunk, group: PlacementGroup) {
        self.init(
            videoId: chunk.video, stream: chunk.stream, sequence: chunk.sequence, sizeBytes: chunk.sizeBytes,
            checksum: chunk.checksum, redundancyMode: chunk.redundancyMode, group: group.id, nodes: group.members,
            startSec: chunk.startSec, durationSec: chunk.durationSec)
    }
}
