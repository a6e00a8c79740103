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

/// Carries the messages of one ``Proposer`` through one ballot.
struct ProposalRun: Sendable {
    enum Outcome: Sendable {
        case decided
        /// Another proposer was faster, or too few nodes answered or could accept.
        case preempted
        case inconsistent
    }

    private enum Event: Sendable {
        case promised(NodeID, Ballot, Acceptor.Accepted?)
        case accepted(NodeID, Ballot)
        case rejected(NodeID, Proposer.Question, Ballot, promised: Ballot?)
        case lost(NodeID, Proposer.Question, Ballot)
    }

    let chunk: ChunkID
    let members: [GroupMember]
    let gateway: any AcceptorGateway

    func run(_ proposer: Proposer) async -> Outcome {
        var proposer = proposer
        return await withTaskGroup(of: Event.self) { group in
            var actions = proposer.onRetry()
            while true {
                for action in actions {
                    switch action {
                    case .prepare(let node, let ballot): group.addTask { await prepare(node, ballot) }
                    case .accept(let node, let ballot, let value): group.addTask { await accept(node, ballot, value) }
                    case .decided: return finish(.decided, &group)
                    case .preempted: return finish(.preempted, &group)
                    case .superseded: return finish(.preempted, &group)
                    case .inconsistent: return finish(.inconsistent, &group)
                    }
                }
                guard let event = await group.next() else { return .preempted }
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
        case .promised(let node, let ballot, let accepted):
            proposer.onPromised(Membership.Member(node), ballot, accepted: accepted)
        case .accepted(let node, let ballot): proposer.onAccepted(Membership.Member(node), ballot)
        case .rejected(let node, let question, let ballot, let promised):
            proposer.onRejected(Membership.Member(node), question, ballot, promised: promised)
        case .lost(let node, let question, let ballot): proposer.onLost(node, question, ballot)
        }
    }

    private func prepare(_ node: NodeID, _ ballot: Ballot) async -> Event {
        guard let member = members.first(where: { $0.nodeId == node }),
            let report = try? await gateway.prepare(chunk, ballot, at: member.nodeUrl).from(member)
        else { return .lost(node, .prepare, ballot) }
        return report.granted
            ? .promised(node, ballot, report.accepted)
            : .rejected(node, .prepare, ballot, promised: report.promisedBallot)
    }

    private func accept(_ node: NodeID, _ ballot: Ballot, _ value: [UInt8]) async -> Event {
        guard let member = members.first(where: { $0.nodeId == node }), let value = try? ChunkValue(encoded: value),
            let report = try? await gateway.accept(chunk, ballot, value, at: member.nodeUrl).from(member)
        else { return .lost(node, .accept, ballot) }
        return report.granted
            ? .accepted(node, ballot) : .rejected(node, .accept, ballot, promised: report.promisedBallot)
    }
}
