import Base
import ChunkPaxos
import Digests
import MetadataAPI
import StorageNodeAPI
import Synchronization

/// Hands out proposer numbers: no two proposals that were ever made share a ballot.
final class ProposerNumbers: Sendable {
    private let base = SecureRandom.word()
    private let count = Atomic<UInt64>(0)

    func next() -> UInt64 { base &+ count.wrappingAdd(1, ordering: .relaxed).newValue }
}

/// Carries the messages of one ``Proposer`` through one ballot, in version 0 of a chunk.
///
/// An acceptor takes only a value whose bytes it holds. Where it holds none, or those of another value, the bytes are
/// brought to it from a member that has them.
struct ProposalRun: Sendable {
    enum Outcome: Sendable {
        case decided
        /// Another proposer was faster, or too few nodes answered or could accept.
        case preempted
        /// These members promised, and named a value whose bytes cannot be had from anybody: the next ballot has to find
        /// a quorum without them.
        case stuck(on: Set<NodeID>)
        case inconsistent
    }

    private enum Event: Sendable {
        case reply(Membership.Member, Proposer.Question, Ballot, ChunkAcceptor.Reply)
        case lost(NodeID, Proposer.Question, Ballot)
        case withoutBytes(NodeID, Ballot)
    }

    let chunk: ChunkID
    let members: [GroupMember]
    let terms: VideoTerms
    /// Members that are not asked to promise.
    let ignored: Set<NodeID>
    let gateway: any AcceptorGateway
    let bytes: ChunkBytes

    func run(_ proposer: Proposer) async -> Outcome {
        var proposer = proposer
        var promises: [NodeID: [UInt8]] = [:]
        var value: [UInt8] = []
        var areBytesLost = false
        return await withTaskGroup(of: Event.self) { group in
            var actions = proposer.onRetry()
            while true {
                for action in actions {
                    switch action {
                    case .prepare(let node, let ballot): group.addTask { await prepare(node, ballot) }
                    case .accept(let node, let ballot, let chosen):
                        value = chosen
                        group.addTask { await accept(node, ballot, chosen) }
                    case .decided: return finish(.decided, &group)
                    case .preempted, .superseded:
                        let namers = promises.filter { $0.value == value }.keys
                        let isStuck = areBytesLost && !namers.isEmpty
                        return finish(isStuck ? .stuck(on: Set(namers)) : .preempted, &group)
                    case .inconsistent: return finish(.inconsistent, &group)
                    }
                }
                guard let event = await group.next() else { return .preempted }
                if case .reply(let voter, .prepare, _, .answered(.promised(let accepted?))) = event {
                    promises[voter.node] = accepted.value
                }
                if case .withoutBytes = event { areBytesLost = true }
                actions = Self.deliver(event, to: &proposer)
            }
        }
    }

    private func finish(_ outcome: Outcome, _ group: inout TaskGroup<Event>) -> Outcome {
        group.cancelAll()
        return outcome
    }

    private static func deliver(_ event: Event, to proposer: inout Proposer) -> [Proposer.Action] {
        switch event {
        case .reply(let voter, let question, let ballot, let reply):
            proposer.onReply(voter, to: question, ballot, reply)
        case .lost(let node, let question, let ballot): proposer.onLost(node, question, ballot)
        case .withoutBytes(let node, let ballot): proposer.onLost(node, .accept, ballot)
        }
    }

    private func prepare(_ node: NodeID, _ ballot: Ballot) async -> Event {
        guard !ignored.contains(node), let member = members.first(where: { $0.nodeId == node }),
            let report = try? await gateway.prepare(chunk, in: terms.configuration, ballot, at: member.nodeUrl)
                .from(member)
        else { return .lost(node, .prepare, ballot) }
        bytes.note(report, of: member)
        return .reply(report.voter, .prepare, ballot, reply(report) { .promised(accepted: $0) })
    }

    private func accept(_ node: NodeID, _ ballot: Ballot, _ value: [UInt8]) async -> Event {
        guard let member = members.first(where: { $0.nodeId == node }), let value = try? ChunkValue(encoded: value),
            let report = try? await gateway.accept(chunk, in: terms.configuration, ballot, value, at: member.nodeUrl)
                .from(member)
        else { return .lost(node, .accept, ballot) }
        let isForBytes = report.promisedBallot.map { $0 <= ballot } ?? true
        if !report.granted, isForBytes, !report.holds(value.checksum, sizeBytes: value.sizeBytes) {
            return await store(value, ballot, at: member, as: report.voter)
        }
        return .reply(report.voter, .accept, ballot, reply(report) { _ in .accepted })
    }

    private func store(
        _ value: ChunkValue, _ ballot: Ballot, at member: GroupMember, as voter: Membership.Member
    ) async -> Event {
        guard let content = await bytes.content(of: value) else { return .withoutBytes(member.nodeId, ballot) }
        do {
            try await gateway.store(chunk, content, ballot: ballot, value: value, at: member.nodeUrl)
            return .reply(voter, .accept, ballot, .answered(.accepted))
        } catch {
            return .lost(member.nodeId, .accept, ballot)
        }
    }

    private func reply(
        _ report: AcceptorReport, granted: (Acceptor.Accepted?) -> Acceptor.Answer
    ) -> ChunkAcceptor.Reply {
        switch report.reply(in: terms) {
        case .state(let vote):
            .answered(
                report.granted
                    ? granted(vote.accepted) : .rejected(promised: vote.promised, accepted: vote.accepted))
        case let other: other
        }
    }
}

/// A chunk's bytes, fetched at most once for each value that they may be.
final class ChunkBytes: Sendable {
    private struct State {
        /// Who holds what.
        var holders: [SHA256Digest: [GroupMember]] = [:]
        var fetches: [SHA256Digest: Task<[UInt8]?, Never>] = [:]
    }

    private let chunk: ChunkID
    private let gateway: any AcceptorGateway
    private let state = Locked(State())

    init(_ chunk: ChunkID, _ survey: AcceptorSurvey, gateway: any AcceptorGateway) {
        self.chunk = chunk
        self.gateway = gateway
        for member in survey.members {
            if let report = survey.reports[member.nodeId] { note(report, of: member) }
        }
    }

    func note(_ report: AcceptorReport, of member: GroupMember) {
        guard let checksum = report.storedChecksum else { return }
        state.withLock { state in
            guard state.holders[checksum]?.contains(member) != true else { return }
            state.holders[checksum, default: []].append(member)
            // A new holder is a new chance.
            state.fetches[checksum] = nil
        }
    }

    /// nil when nobody who is known to hold the value's bytes gives them.
    func content(of value: ChunkValue) async -> [UInt8]? {
        let task = state.withLock { state in
            if let task = state.fetches[value.checksum] { return task }
            let holders = state.holders[value.checksum] ?? []
            let task = Task { await fetch(value.checksum, from: holders) }
            state.fetches[value.checksum] = task
            return task
        }
        return await task.value
    }

    private func fetch(_ checksum: SHA256Digest, from holders: [GroupMember]) async -> [UInt8]? {
        for holder in holders {
            guard let content = try? await gateway.fetch(chunk, at: holder.nodeUrl),
                SHA256.digest(of: content) == checksum
            else { continue }
            return content
        }
        return nil
    }
}
