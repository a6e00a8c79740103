import Base
import Catalog
import ChunkPaxos
import Digests
import MetadataAPI
import Placement

/// Writes what is due of one video's journal: as chunks of the video's own placement group, each agreed on like any
/// other.
///
/// Invariants:
/// - A sequence number is claimed in the catalog before anything is sent under it, and never used again: what failed
///   half-way is written anew under the next. So ballot 0, where it is this catalog's own, carries one value.
/// - Old records go only from members that have the newest, and only after a majority has it. The publication's go
///   after the facts that name the new one.
/// - The note of a deletion stays until every member has deleted everything else.
struct JournalWriter: Sendable {
    /// How often a proposal is made where ballot 0 may not be used.
    private static let proposalsMax = 4
    private static let backoff = Duration.milliseconds(20)
    /// Requests to one node at a time, of those that delete.
    private static let deletionsAtOnce = 8

    let catalog: any Catalog
    let registry: NodeRegistry
    let gateway: any AcceptorGateway
    let proposers: ProposerNumbers
    let chunkBytesMax: Int
    /// What the rest of the nodes get once a majority has a chunk.
    let straggler: Duration

    /// A record that a majority has.
    private struct Written {
        let stream: ChunkStream
        let chunks: Range<Int>
        let holders: Set<NodeID>
        let revision: Int
    }

    /// Writes what is due, or what a member that is there lacks; returns when a majority has it.
    /// - Throws: ``Failure`` (unavailable) when no majority could be had; ``CatalogError``.
    func write(_ id: VideoID) async throws {
        guard let state = try await catalog.journal(of: id) else { return }
        if state.isClosing { return try await close(state) }
        let present = Set(members(of: state).filter(isUp).map(\.nodeId))
        let lagging = Set(state.lags.filter { present.contains($0.node) }.map(\.stream))
        guard state.urgency > .none || !lagging.isEmpty else { return }
        var written: [Written] = []
        var place = state.records(of: .publication).newest
        if let publication = state.publication, !state.facts.isDeleted,
            state.isPublicationDue || lagging.contains(.publication)
        {
            let record = try PublicationRecord.encode(publication)
            let one = try await store(record, .publication, revision: state.publicationRevision, state)
            place = one.chunks
            written.append(one)
        }
        let facts = FactsRecord(state.facts, members: state.members, publication: place)
        written.append(
            try await store(try facts.encoded(), .catalog, revision: state.facts.revision, state))
        for one in written { try await note(one, state) }
    }

    /// Takes what is older from those that have the newest, and notes who has what.
    private func note(_ written: Written, _ state: JournalState) async throws {
        let cleaned = await withTaskGroup(of: NodeID?.self) { group in
            for member in members(of: state) where written.holders.contains(member.nodeId) {
                let old = state.clean(written.stream, on: member.nodeId)..<written.chunks.lowerBound
                group.addTask {
                    await delete(old, written.stream, of: state.facts.id, from: member) ? member.nodeId : nil
                }
            }
            return await group.reduce(into: Set<NodeID>()) { if let node = $1 { $0.insert(node) } }
        }
        try await catalog.noteJournal(
            of: state.facts.id,
            JournalWrite(
                stream: written.stream, chunks: written.chunks, revision: written.revision,
                lagging: state.facts.group.members.filter { !cleaned.contains($0) }))
    }

    /// Nothing of the video is left but that it is deleted: that goes too, and then the video's rows.
    private func close(_ state: JournalState) async throws {
        for member in members(of: state) {
            for stream in [ChunkStream.publication, .catalog] {
                let records = state.records(of: stream)
                let range = min(state.clean(stream, on: member.nodeId), records.next)..<records.next
                guard await delete(range, stream, of: state.facts.id, from: member) else {
                    throw Failure(.unavailable, "\(member.nodeUrl) does not delete what it has of a deleted video")
                }
            }
        }
        try await catalog.forgetVideo(state.facts.id)
    }

    private func store(
        _ record: [UInt8], _ stream: ChunkStream, revision: Int, _ state: JournalState
    ) async throws -> Written {
        let parts = try JournalPart.split(record, chunkBytesMax: chunkBytesMax)
        var candidates = members(of: state).filter(isUp)
        try require(candidates.count, state)
        let first = try await catalog.claimJournal(of: state.facts.id, stream, count: parts.count)
        for part in parts {
            let chunk = JournalChunk(part.encoded, stream, sequence: first + part.index, state.facts)
            let holders = try await store(chunk, on: candidates, state)
            candidates.removeAll { !holders.contains($0.nodeId) }
            try require(candidates.count, state)
        }
        return Written(
            stream: stream, chunks: first..<first + parts.count, holders: Set(candidates.map(\.nodeId)),
            revision: revision)
    }

    /// - Returns: those that have accepted the chunk's value and hold its bytes.
    private func store(
        _ chunk: JournalChunk, on members: [GroupMember], _ state: JournalState
    ) async throws -> Set<NodeID> {
        let ballot = state.ownsFirstBallot ? Ballot(round: 0, proposer: state.facts.creator) : nil
        let majority = state.facts.group.majority
        let holders = await acknowledgements(of: members, majority: majority) { member in
            try await gateway.store(chunk.id, chunk.bytes, ballot: ballot, value: chunk.value, at: member.nodeUrl)
        }
        guard ballot == nil, holders.count >= majority else { return holders }
        return try await propose(chunk, state)
    }

    /// Both phases, for chunks whose ballot 0 another catalog may have used.
    private func propose(_ chunk: JournalChunk, _ state: JournalState) async throws -> Set<NodeID> {
        let members = members(of: state)
        let value = try chunk.value.encoded()
        let group = state.facts.group
        let terms = VideoTerms(
            group: group, configuration: Configuration(initial: try group.membership()), creator: state.facts.creator)
        for attempt in 0..<Self.proposalsMax {
            let survey = await AcceptorSurvey.take(
                of: chunk.id, members: members, terms: terms, awaiting: Set(members.filter(isUp).map(\.nodeId)),
                registry: registry, gateway: gateway)
            if case .chosen(let chosen, let holders) = survey.verdict {
                guard chosen.value == value else { throw Self.taken(chunk.id) }
                return Set(holders)
            }
            if attempt > 0 { try await Task.sleep(for: Self.backoff * Double.random(in: 0...Double(1 << attempt))) }
            let proposer = Proposer(
                membership: terms.configuration.membership, proposer: proposers.next(), value: value,
                roundSeenMax: survey.roundSeenMax)
            let bytes = ChunkBytes(chunk.id, survey, gateway: gateway)
            let run = ProposalRun(
                chunk: chunk.id, members: members, terms: terms, ignored: [], gateway: gateway, bytes: bytes)
            if case .inconsistent = await run.run(proposer) { throw Self.taken(chunk.id) }
        }
        throw Failure(.unavailable, "the acceptors of chunk \(chunk.id) did not agree")
    }

    private static func taken(_ id: ChunkID) -> Failure {
        Failure(.conflict, "chunk \(id) has another value; the record is written again under another number")
    }
}

extension JournalWriter {
    /// Whether the member is there, with the disk that it had: with another one it has no vote and takes nothing.
    private func isUp(_ member: GroupMember) -> Bool {
        guard let entry = registry.view.entry(member.nodeId), entry.status != .down else { return false }
        return member.acceptorId == nil || member.acceptorId == entry.node.acceptor
    }

    /// The group's nodes, where they are now.
    private func members(of state: JournalState) -> [GroupMember] {
        let nodes = registry.view
        return state.facts.group.members(at: state.members).map { member in
            guard let url = nodes.entry(member.nodeId)?.node.url else { return member }
            return GroupMember(nodeId: member.nodeId, nodeUrl: url, acceptorId: member.acceptorId)
        }
    }

    private func require(_ count: Int, _ state: JournalState) throws(Failure) {
        guard count < state.facts.group.majority else { return }
        throw Failure(
            .unavailable,
            "\(count) of the \(state.facts.group.members.count) nodes of placement group \(state.facts.group.id) take "
                + "the journal of video \(state.facts.id): \(state.facts.group.majority) must")
    }

    private enum Outcome: Sendable {
        case acknowledged(NodeID)
        case failed
        case late
    }

    /// Asks all at once; once a majority is there, the others have ``straggler`` to come too.
    private func acknowledgements(
        of members: [GroupMember], majority: Int, _ ask: @escaping @Sendable (GroupMember) async throws -> Void
    ) async -> Set<NodeID> {
        await withTaskGroup(of: Outcome.self) { group in
            for member in members {
                group.addTask {
                    do {
                        try await ask(member)
                        return .acknowledged(member.nodeId)
                    } catch {
                        return .failed
                    }
                }
            }
            var holders: Set<NodeID> = []
            var open = members.count
            while open > 0, let outcome = await group.next() {
                switch outcome {
                case .failed: open -= 1
                case .late: open = 0
                case .acknowledged(let node):
                    open -= 1
                    holders.insert(node)
                    guard holders.count == majority, open > 0 else { continue }
                    group.addTask { [straggler] in
                        try? await Task.sleep(for: straggler)
                        return .late
                    }
                }
            }
            group.cancelAll()
            return holders
        }
    }

    /// - Returns: whether nothing of that is left there.
    private func delete(
        _ sequences: Range<Int>, _ stream: ChunkStream, of video: VideoID, from member: GroupMember
    ) async -> Bool {
        guard !sequences.isEmpty else { return true }
        return await withTaskGroup(of: Bool.self) { group in
            var areGone = true
            for (index, sequence) in sequences.enumerated() {
                if index >= Self.deletionsAtOnce { areGone = await group.next() ?? true && areGone }
                guard areGone else { break }
                let chunk = ChunkID(video: video, stream: stream, sequence: sequence)
                group.addTask { (try? await gateway.delete(chunk, at: member.nodeUrl)) != nil }
            }
            return await group.reduce(areGone) { $0 && $1 }
        }
    }
}

/// A part of a record as the chunk that it is stored as.
private struct JournalChunk: Sendable {
    let id: ChunkID
    let bytes: [UInt8]
    let value: ChunkValue

    init(_ bytes: [UInt8], _ stream: ChunkStream, sequence: Int, _ facts: JournalFacts) {
        id = ChunkID(video: facts.id, stream: stream, sequence: sequence)
        self.bytes = bytes
        value = ChunkValue(
            videoId: facts.id, stream: stream, sequence: sequence, sizeBytes: bytes.count,
            checksum: SHA256.digest(of: bytes), group: facts.group.id, nodes: facts.group.members,
            acceptors: facts.group.acceptors)
    }
}
