import Base

/// One chunk's acceptor on one disk, over all versions of the chunk.
///
/// Invariants:
/// - It votes in one instance at a time, that of `configuration`, whose version never decreases. The state of the
///   version before is dropped with the step to the next: what was chosen there is the base that it then knows.
/// - It says nothing in a configuration that does not name its own node and identity, so that a disk that was wiped has
///   no voice in the place of the one that promised.
/// - Ballots of round 0 exist in version 0 only, where they belong to the creator.
/// - A request that is refused changes nothing, and neither does a read.
/// - As of ``Acceptor``: what an answer says is durable before the answer is sent.
package struct ChunkAcceptor: Hashable, Sendable {
    package enum Question: Hashable, Sendable {
        /// Phase 1.
        case prepare(Ballot)
        /// Phase 2.
        case accept(Ballot, value: [UInt8])
        /// What is the acceptor's state in this instance?
        case read
        /// The base was chosen: take the step to this version, and know it.
        case install
    }

    /// A message to a chunk's acceptor.
    package struct Request: Hashable, Sendable {
        package let configuration: Configuration
        package let question: Question

        package init(_ configuration: Configuration, _ question: Question) {
            self.configuration = configuration
            self.question = question
        }
    }

    package enum Reply: Hashable, Sendable {
        /// To `prepare` and `accept`.
        case answered(Acceptor.Answer)
        /// To `read`.
        case state(Acceptor)
        /// To `install`: it is in this version.
        case installed
        /// The instance was decided and the chunk went on: here is the version the acceptor is in, and on what it rests.
        case superseded(Configuration)
        /// The configuration names another acceptor, or another configuration of this version is known here.
        case foreign
    }

    /// Who it is.
    package let own: Membership.Member
    /// nil before the first request that left something behind.
    package private(set) var configuration: Configuration?
    /// Its state in that configuration's instance.
    package private(set) var vote: Acceptor

    /// - Parameters:
    ///   - configuration: nil with a vote means version 0 among members that were not kept.
    package init(own: Membership.Member, configuration: Configuration? = nil, vote: Acceptor = Acceptor()) {
        self.own = own
        self.configuration = configuration
        self.vote = vote
    }

    package mutating func on(_ request: Request) -> Reply {
        let asked = request.configuration
        guard asked.membership.index(of: own) != nil else { return .foreign }
        if let configuration {
            if asked.version < configuration.version { return .superseded(configuration) }
            if asked.version == configuration.version, asked != configuration { return .foreign }
        }
        var vote = asked.version == version ? vote : Acceptor()
        let reply = Self.answer(request, &vote)
        if Self.leavesSomething(reply) {
            configuration = asked
            self.vote = vote
        }
        return reply
    }

    private var version: UInt32 { configuration?.version ?? 0 }

    private static func answer(_ request: Request, _ vote: inout Acceptor) -> Reply {
        switch request.question {
        case .read: return .state(vote)
        case .install: return .installed
        case .prepare(let ballot): return .answered(vote.onPrepare(ballot))
        case .accept(let ballot, let value):
            // Nobody owns round 0 of a later version, so two might use it.
            guard ballot.round > 0 || request.configuration.version == 0 else {
                return .answered(.rejected(promised: vote.promised, accepted: vote.accepted))
            }
            return .answered(vote.onAccept(ballot, value: value))
        }
    }

    private static func leavesSomething(_ reply: Reply) -> Bool {
        switch reply {
        case .answered(.promised), .answered(.accepted), .installed: true
        case .answered(.rejected), .state, .superseded, .foreign: false
        }
    }
}
