import Base
import ChunkPaxos
import MetadataAPI
import StorageNodeAPI

/// What a chunk's acceptors answered when they were asked, all at once, what they have.
struct AcceptorSurvey: Sendable {
    let members: [GroupMember]
    let terms: VideoTerms
    private(set) var reports: [NodeID: AcceptorReport] = [:]
    private(set) var failures: [NodeID: String] = [:]
    private var learner: Learner

    var verdict: Learner.Verdict { learner.verdict }
    var roundSeenMax: UInt32 { learner.roundSeenMax }

    private init(members: [GroupMember], terms: VideoTerms) {
        self.members = members
        self.terms = terms
        learner = Learner(membership: terms.configuration.membership)
    }

    /// Members whose stored bytes have the checksum and size.
    func holders(of checksum: SHA256Digest, sizeBytes: Int) -> [NodeID] {
        members.map(\.nodeId).filter { reports[$0]?.holds(checksum, sizeBytes: sizeBytes) == true }
    }

    /// - Parameter registry: is told how long each took.
    ///
    /// Asks every member; returns when all have answered or failed, or earlier when a value is chosen and nothing is
    /// outstanding from the nodes in `awaited`, so that a node that hangs holds up nobody.
    static func take(
        of chunk: ChunkID, members: [GroupMember], terms: VideoTerms, awaiting awaited: Set<NodeID>,
        registry: NodeRegistry?, gateway: any AcceptorGateway
    ) async -> AcceptorSurvey {
        var survey = AcceptorSurvey(members: members, terms: terms)
        await withTaskGroup(of: (GroupMember, Result<AcceptorReport, any Error>).self) { group in
            for member in members {
                group.addTask { (member, await read(chunk, member, registry, gateway)) }
            }
            for await (member, result) in group {
                survey.note(member, result)
                if survey.isEnough(awaited) {
                    group.cancelAll()
                    return
                }
            }
        }
        return survey
    }

    private mutating func note(_ member: GroupMember, _ result: Result<AcceptorReport, any Error>) {
        switch result {
        case .success(let report):
            reports[member.nodeId] = report
            learner.onReply(report.voter, report.reply(in: terms))
            failures[member.nodeId] = report.strangeness(as: member)
        case .failure(let error):
            failures[member.nodeId] = (error as? any PresentableError)?.message ?? "it did not answer"
        }
    }

    private func isEnough(_ awaited: Set<NodeID>) -> Bool {
        guard case .chosen = verdict else { return false }
        return awaited.allSatisfy { reports[$0] != nil || failures[$0] != nil }
    }

    private static func read(
        _ chunk: ChunkID, _ member: GroupMember, _ registry: NodeRegistry?, _ gateway: any AcceptorGateway
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
            registry?.noteAnswer(of: member.nodeId, seconds: (clock.now - start) / .seconds(1))
        }
        return result
    }
}

extension AcceptorReport {
    /// Who reports.
    var voter: Membership.Member { Membership.Member(nodeId, acceptorId) }

    /// The accepted value as the pure cores know it.
    var accepted: Acceptor.Accepted? {
        guard let acceptedBallot, let value = try? acceptedValue?.encoded() else { return nil }
        return Acceptor.Accepted(ballot: acceptedBallot, value: value)
    }

    /// What the acceptor would reply to a `read` in version 0 of a chunk with those terms. It changes nothing, so it may
    /// as well be worked out here.
    func reply(in terms: VideoTerms) -> ChunkAcceptor.Reply {
        let vote = Acceptor(promised: promisedBallot, accepted: accepted)
        var acceptor = ChunkAcceptor(
            own: voter, configuration: configuration,
            vote: (configuration?.version ?? 0) == 0 ? terms.genuine(vote) : vote)
        return acceptor.on(ChunkAcceptor.Request(terms.configuration, .read))
    }

    func holds(_ checksum: SHA256Digest, sizeBytes: Int) -> Bool {
        storedChecksum == checksum && (storedSizeBytes ?? sizeBytes) == sizeBytes
    }

    /// Why the report counts for nothing although the node answered; nil when it counts.
    func strangeness(as member: GroupMember) -> String? {
        guard let expected = member.acceptorId, expected != acceptorId else { return nil }
        return "its disk was replaced: it is acceptor \(acceptorId?.description ?? "of no name"), not \(expected)"
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
