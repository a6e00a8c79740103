import Base
import Catalog
import ChunkPaxos
import MetadataAPI
import Placement
import StorageNodeAPI

/// Learns a chunk's value from its acceptors and records it; finishes the agreement where nobody has.
struct ChunkCommitter: Sendable {
    /// How often a value is proposed before the commit is refused, and how long it waits in between.
    struct Policy: Sendable {
        var attemptsMax = 8
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
    let terms: VideoTermsCache
    let proposers: ProposerNumbers
    let policy: Policy
    let time: any TimeSource

    /// What a request proves to be decided, found out at once: nearly every commit is.
    /// - Returns: nil when somebody has to be asked, be it only what the terms of the video are.
    /// - Throws: ``Failure``.
    func proven(_ id: ChunkID, _ request: CommitRequest) throws(Failure) -> Chunk? {
        try Self.check(request)
        guard let terms = terms.known(of: request.videoId) else { return nil }
        let nodes = registry.view
        return Self.proven(try context(id, request, terms, nodes), nodes)
    }

    /// - Throws: ``Failure``, ``CatalogError`` or ``CancellationError``.
    func commit(_ id: ChunkID, _ request: CommitRequest) async throws -> Outcome {
        try Self.check(request)
        let terms = try await terms.terms(of: request.videoId)
        let nodes = registry.view
        let context = try context(id, request, terms, nodes)
        if let chunk = Self.proven(context, nodes), let replicas = try await recordProven(chunk) {
            return .committed(replicas)
        }
        guard let video = try await catalog.video(request.videoId) else {
            throw Failure(.notFound, "there is no video \(request.videoId)")
        }
        guard video.status != .failed else {
            throw Failure(.conflict, "video \(video.id) has failed and takes no more chunks")
        }
        if let known = try await catalog.chunk(id) {
            let value = ChunkValue(known, group: terms.group)
            guard context.matches(value) else { return .conflict(chosen: value) }
            if context.named.isSubset(of: known.replicas) { return .committed(known.replicas) }
        }
        return try await settle(context)
    }

    /// A majority's acceptances under one ballot are the decision itself, whoever brings them.
    private static func proven(_ context: CommitContext, _ nodes: NodeView) -> Chunk? {
        let proven = context.proven(nodes)
        guard proven.count >= context.terms.configuration.membership.quorum else { return nil }
        return Chunk(context.id, context.value, replicas: proven)
    }

    /// - Returns: nil when something in the catalog is against it, which is looked into then.
    private func recordProven(_ chunk: Chunk) async throws(CatalogError) -> [NodeID]? {
        do {
            return try await catalog.recordChunk(chunk, at: time.now()).replicas
        } catch {
            guard error.code == .conflict else { throw error }
            return nil
        }
    }

    /// Asks the acceptors until a value is chosen, proposing the request's where nothing stands against it.
    private func settle(_ context: CommitContext) async throws -> Outcome {
        var backoff = Backoff(unit: policy.backoff)
        var ignored: Set<NodeID> = []
        for attempt in 0..<policy.attemptsMax {
            let survey = await AcceptorSurvey.take(
                of: context.id, members: context.members, terms: context.terms, awaiting: context.named,
                registry: registry, gateway: gateway)
            switch survey.verdict {
            case .chosen(let accepted, _):
                return try await conclude(try ChunkValue(encoded: accepted.value), survey, context)
            case .superseded(let next):
                // A move changes where the bytes are, not what they are.
                guard let base = next.base else { throw inconsistent(context) }
                return try await conclude(try ChunkValue(encoded: base), survey, context)
            case .unknown: throw unavailable(survey, context)
            case .conflict: throw inconsistent(context)
            case .empty, .undecided:
                try requireProposable(survey, context)
                if attempt > 0 { try await Task.sleep(for: backoff.onFailure(random: .random(in: 0...UInt64.max))) }
                try await propose(survey, context, &ignored)
            }
        }
        throw Failure(
            .unavailable,
            "the acceptors of chunk \(context.id) did not agree in \(policy.attemptsMax) attempts: try again later")
    }

    private func propose(
        _ survey: AcceptorSurvey, _ context: CommitContext, _ ignored: inout Set<NodeID>
    ) async throws {
        let proposer = Proposer(
            membership: context.terms.configuration.membership, proposer: proposers.next(),
            value: try context.value.encoded(), roundSeenMax: survey.roundSeenMax)
        let run = ProposalRun(
            chunk: context.id, members: context.members, terms: context.terms, ignored: ignored, gateway: gateway,
            bytes: ChunkBytes(context.id, survey, gateway: gateway))
        switch await run.run(proposer) {
        case .decided, .preempted: ignored = []
        case .stuck(let members): ignored = members
        case .inconsistent: throw inconsistent(context)
        }
    }

    /// Records what was chosen, if it is what the request says.
    private func conclude(
        _ value: ChunkValue, _ survey: AcceptorSurvey, _ context: CommitContext
    ) async throws -> Outcome {
        guard context.matches(value) else { return .conflict(chosen: value) }
        try requireMajority(survey, context)
        let replicas = survey.holders(of: value.checksum, sizeBytes: value.sizeBytes)
        return .committed(
            try await catalog.recordChunk(Chunk(context.id, value, replicas: replicas), at: time.now()).replicas)
    }
}

// What is checked before anybody is asked.
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

    private func context(
        _ id: ChunkID, _ request: CommitRequest, _ terms: VideoTerms, _ nodes: NodeView
    ) throws(Failure) -> CommitContext {
        let group = terms.group
        let members = nodes.members(of: group)
        guard members.count == group.members.count else {
            throw Failure(.unavailable, "a member of placement group \(group.id) has not registered")
        }
        var named: Set<NodeID> = []
        for text in request.nodeUrls {
            // As it was handed out, nearly always.
            if let member = members.first(where: { $0.nodeUrl == text }) {
                named.insert(member.nodeId)
                continue
            }
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
        return CommitContext(
            id: id, request: request, stream: request.stream ?? .source, terms: terms, members: members, named: named)
    }
}

// Why a commit cannot be, or not now.
extension ChunkCommitter {
    /// A value may be proposed when a majority holds its bytes, or could be given them: another's bytes, that are in the
    /// way, give way to what is agreed.
    /// - Throws: ``Failure`` as ``requireMajority(_:_:)``.
    private func requireProposable(_ survey: AcceptorSurvey, _ context: CommitContext) throws(Failure) {
        let request = context.request
        let rivals = context.members.filter { member in
            guard let report = survey.reports[member.nodeId] else { return false }
            return report.storedChecksum != nil && !report.holds(request.checksum, sizeBytes: request.sizeBytes)
        }
        let holders = survey.holders(of: request.checksum, sizeBytes: request.sizeBytes)
        if !holders.isEmpty, holders.count + rivals.count >= context.group.majority { return }
        try requireMajority(survey, context)
    }

    /// - Throws: ``Failure`` (409, naming the nodes that lack them; 503 where the others did not answer) unless a
    ///   majority of the group holds the request's bytes.
    private func requireMajority(_ survey: AcceptorSurvey, _ context: CommitContext) throws(Failure) {
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

    private func unavailable(_ survey: AcceptorSurvey, _ context: CommitContext) -> Failure {
        let silent = context.members.compactMap { member in
            survey.failures[member.nodeId].map { "\(member.nodeUrl) (\($0))" }
        }
        return Failure(
            .unavailable,
            "no majority of the nodes of placement group \(context.group.id) could answer for chunk \(context.id): "
                + silent.joined(separator: ", "))
    }

    private func inconsistent(_ context: CommitContext) -> Failure {
        Failure(
            .conflict,
            "the acceptors of chunk \(context.id) hold two values under one ballot: upload the video anew")
    }
}
