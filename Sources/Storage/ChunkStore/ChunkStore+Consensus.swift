import Base
import ChunkPaxos
import Synchronization

// The chunks' acceptors. What is decided is `ChunkAcceptor`'s; here it is made durable before it is said.
extension ChunkStore {
    package typealias AcceptorCompletion = @Sendable (Result<AcceptorOutcome, ChunkStoreError>) -> Void

    /// Which acceptor this store is, for every chunk.
    package var acceptorID: AcceptorID {
        guard let acceptor = id.bytes.withUnsafeBytes({ AcceptorID(bytes: $0) }) else {
            preconditionFailure("a store's id has as many bytes as an acceptor's")
        }
        return acceptor
    }

    /// Gives a message to the chunk's acceptor.
    /// - Parameter bytes: what the value of an `accept` says the chunk is; it is granted only when the store holds that.
    package func ask(
        _ id: ChunkID, _ request: ChunkAcceptor.Request, holding bytes: BytesClaim? = nil,
        _ completion: @escaping AcceptorCompletion
    ) {
        change(id, completion) { [self] (current, settle) throws(ChunkStoreError) in
            var acceptor = try ownAcceptor(id, current.acceptor)
            let reply = acceptor.on(request)
            let next = AcceptorState(acceptor)
            if next != current.acceptor {
                try Self.checkMetadata(next)
                try requireWholeLog(id)
            }
            if reply == .answered(.accepted), bytes?.isMet(by: current.view.chunk) != true {
                let vote = current.acceptor.vote
                let refusal = ChunkAcceptor.Reply.answered(.rejected(promised: vote.promised, accepted: vote.accepted))
                return settle(.success(AcceptorOutcome(refusal, current.view)))
            }
            guard next != current.acceptor else { return settle(.success(AcceptorOutcome(reply, current.view))) }
            let outcome = AcceptorOutcome(reply, AcceptorView(next, current.view.chunk))
            try append(.acceptorState, id, current.key, acceptor: next) {
                $0.publishAcceptor($1, over: current)
            } settled: { error in
                settle(error.map { .failure($0) } ?? .success(outcome))
            }
        }
    }

    /// The acceptor's state once it has accepted along with the bytes.
    /// - Throws: `rejected`, `superseded` or `foreign` when it does not.
    func accepting(
        _ acceptance: Acceptance, _ id: ChunkID, _ current: Current
    ) throws(ChunkStoreError) -> AcceptorState {
        var acceptor = try ownAcceptor(id, current.acceptor)
        let reply = acceptor.on(acceptance.request)
        let next = AcceptorState(acceptor)
        if next != current.acceptor { try requireWholeLog(id) }
        switch reply {
        case .answered(.accepted): return next
        case .superseded(let configuration): throw Self.superseded(id, configuration)
        case .foreign: throw foreign(id, acceptance.configuration, current.acceptor)
        case .answered, .state, .installed: throw Self.rejected(id, current.acceptor.vote)
        }
    }

    /// An acceptor that lost part of its log may have promised or accepted what it does not remember, also for an id
    /// of which it remembers something older. It may repeat what it accepted, which stays true, and shows what it has
    /// to whoever reads; it says nothing new.
    func requireWholeLog(_ id: ChunkID) throws(ChunkStoreError) {
        guard state.withLock({ $0.statistics.corruptRecords }) == 0 else {
            throw ChunkStoreError(
                .forgetful,
                "this node lost records of its log and has no vote on chunk '\(id)': the other acceptors decide; "
                    + "replace the node by one with another id and an empty data directory")
        }
    }

    private func ownAcceptor(_ id: ChunkID, _ state: AcceptorState) throws(ChunkStoreError) -> ChunkAcceptor {
        guard let node = options.node else {
            throw ChunkStoreError(.foreign, "this store is no node's and has no vote on chunk '\(id)'")
        }
        return state.acceptor(of: Membership.Member(node, acceptorID))
    }
}

// Why an acceptor refuses.
extension ChunkStore {
    private static func rejected(_ id: ChunkID, _ acceptor: Acceptor) -> ChunkStoreError {
        ChunkStoreError(
            .rejected(acceptor),
            "the acceptor of chunk '\(id)' has promised or accepted otherwise"
                + (acceptor.promised.map { " (ballot \($0))" } ?? ""))
    }

    private static func superseded(_ id: ChunkID, _ configuration: Configuration) -> ChunkStoreError {
        ChunkStoreError(
            .superseded(configuration),
            "chunk '\(id)' was decided and has gone on to version \(configuration.version): "
                + "ask \(configuration.membership.names)")
    }

    /// The error for a message that has no voice here, with what is wrong with it.
    package func foreign(_ id: ChunkID, _ asked: Configuration, _ view: AcceptorView) -> ChunkStoreError {
        foreign(id, asked, AcceptorState(configuration: view.configuration, vote: view.acceptor))
    }

    private func foreign(_ id: ChunkID, _ asked: Configuration, _ known: AcceptorState) -> ChunkStoreError {
        let members = asked.membership
        let node = options.node
        guard let member = members.members.first(where: { $0.node == node }) else {
            return ChunkStoreError(
                .foreign,
                "node '\(node?.description ?? "")' is no acceptor of chunk '\(id)': the message names \(members.names)")
        }
        if let named = member.acceptor, named != acceptorID {
            return ChunkStoreError(
                .foreign,
                "acceptor \(named) of node '\(member.node)' is no more: its disk was replaced, the node is now acceptor "
                    + "\(acceptorID) and has no vote on chunk '\(id)'")
        }
        let own = known.configuration?.membership.names ?? "nobody"
        return ChunkStoreError(
            .foreign,
            "the message names \(members.names) as the acceptors of '\(id)@\(asked.version)', which are \(own)")
    }
}

extension AcceptorOutcome {
    fileprivate init(_ reply: ChunkAcceptor.Reply, _ view: AcceptorView) {
        self.reply = reply
        self.view = view
    }
}

extension Membership {
    /// For a sentence.
    fileprivate var names: String { members.map(\.node.description).joined(separator: ", ") }
}
