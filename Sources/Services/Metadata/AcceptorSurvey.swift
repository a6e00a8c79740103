import Base
import ChunkPaxos
import MetadataAPI
import Placement
import StorageNodeAPI

/// What a chunk's acceptors answered when they were asked, all at once, what they have.
struct AcceptorSurvey: Sendable {
    let members: [GroupMember]
    private(set) var reports: [NodeID: AcceptorReport] = [:]
    private(set) var failures: [NodeID: String] = [:]
    private var learner: Learner

    var verdict: Learner.Verdict { learner.verdict }
    var roundSeenMax: UInt32 { learner.roundSeenMax }

    private init(members: [GroupMember], membership: Membership) {
        self.members = members
        learner = Learner(membership: membership)
    }

    /// Members whose stored bytes have the checksum and size.
    func holders(of checksum: SHA256Digest, sizeBytes: Int) -> [NodeID] {
        members.map(\.nodeId).filter { node in
            guard let report = reports[node] else { return false }
            return report.storedChecksum == checksum && (report.storedSizeBytes ?? sizeBytes) == sizeBytes
        }
    }

    /// Asks every member; returns when all have answered or failed, or earlier when a value is chosen and nothing is
    /// outstanding from the nodes in `awaited`, so that a node that hangs holds up nobody.
    static func take(
        of chunk: ChunkID, members: [GroupMember], membership: Membership, awaiting awaited: Set<NodeID>,
        registry: NodeRegistry, gateway: any AcceptorGateway
    ) async -> AcceptorSurvey {
        var survey = AcceptorSurvey(members: members, membership: membership)
        await withTaskGroup(of: (NodeID, Result<AcceptorReport, any Error>).self) { group in
            for member in members {
                group.addTask { (member.nodeId, await read(chunk, member, registry, gateway)) }
            }
            for await (node, result) in group {
                survey.note(node, result)
                if survey.isEnough(awaited) {
                    group.cancelAll()
                    return
                }
            }
        }
        return survey
    }

    private mutating func note(_ node: NodeID, _ result: Result<AcceptorReport, any Error>) {
        switch result {
        case .success(let report):
            reports[node] = report
            learner.onReport(
                Membership.Member(node), Acceptor(promised: report.promisedBallot, accepted: report.accepted))
        case .failure(let error):
            failures[node] = (error as? any PresentableError)?.message ?? "it did not answer"
        }
    }

    private func isEnough(_ awaited: Set<NodeID>) -> Bool {
        guard case .chosen = verdict else { return false }
        return awaited.allSatisfy { reports[$0] != nil || failures[$0] != nil }
    }

    private static func read(
        _ chunk: ChunkID, _ member: GroupMember, _ registry: NodeRegistry, _ gateway: any AcceptorGateway
    ) async -> Result<AcceptorReport, any Error> {
        let clock = ContinuousClock()
        let start = clock.now
        let result: Result<AcceptorReport, any Error>
        do {
            result = .success(try await gateway.read(chunk, at: member.nodeUrl).from(member))
        } catch {
            result = .failure(error)
        }
        // A survey that ends early cancels the rest: what those took says nothing.
        if !Task.isCancelled {
            registry.noteAnswer(of: member.nodeId, seconds: (clock.now - start) / .seconds(1))
        }
        return result
    }
}

extension PlacementGroup {
    /// The group as the acceptors of version 0 of its videos' chunks.
    /// - Throws: ``Failure`` when it has nobody, or too many.
    func membership() throws(Failure) -> Membership { try Membership(members.map { Membership.Member($0) }) }
}

extension AcceptorReport {
    /// The accepted value as the pure cores know it.
    var accepted: Acceptor.Accepted? {
        guard let acceptedBallot, let value = try? acceptedValue?.encoded() else { return nil }
        return Acceptor.Accepted(ballot: acceptedBallot, value: value)
    }

    /// The report itself, if it is the member's: another node that took over its address has no voice in its place.
    /// - Throws: ``Failure``.
    func from(_ member: GroupMember) throws(Failure) -> AcceptorReport {
        guard nodeId == member.nodeId else {
            throw Failure(.unavailable, "node '\(nodeId)' answers at the address of '\(member.nodeId)'")
        }
        // A ballot without its value, taken for "nothing accepted", could undo what was chosen.
        guard (accepted != nil) == (acceptedBallot != nil || acceptedValue != nil) else {
            throw Failure(.unavailable, "node '\(nodeId)' reports half of what it accepted")
        }
        return self
    }
}
