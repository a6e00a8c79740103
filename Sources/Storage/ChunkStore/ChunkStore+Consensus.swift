import Base
import ChunkPaxos

// The chunks' acceptors. What is decided is `Acceptor`'s; here it is made durable before it is said.
extension ChunkStore {
    package typealias AcceptorCompletion = @Sendable (Result<AcceptorOutcome, ChunkStoreError>) -> Void

    /// Phase 1.
    package func prepare(_ id: ChunkID, _ ballot: Ballot, _ completion: @escaping AcceptorCompletion) {
        change(id, completion) { [self] (current, settle) throws(ChunkStoreError) in
            var acceptor = current.acceptor
            let isGranted = if case .promised = acceptor.onPrepare(ballot) { true } else { false }
            try keep(acceptor, isGranted, id, current, settle)
        }
    }

    /// Phase 2. Granted only when the store holds bytes of the value's size and checksum.
    package func accept(
        _ id: ChunkID, _ accepted: Acceptor.Accepted, checksum: SHA256Digest, sizeBytes: Int,
        _ completion: @escaping AcceptorCompletion
    ) {
        change(id, completion) { [self] (current, settle) throws(ChunkStoreError) in
            try Self.checkMetadata(accepted.value)
            guard let chunk = current.chunk?.header, chunk.checksum == checksum, chunk.payloadLength == sizeBytes else {
                return settle(.success(AcceptorOutcome(isGranted: false, view: current.view)))
            }
            var acceptor = current.acceptor
            let isGranted = acceptor.onAccept(accepted.ballot, value: accepted.value) == .accepted
            try keep(acceptor, isGranted, id, current, settle)
        }
    }

    /// Writes the state down if it is new, and then answers.
    private func keep(
        _ acceptor: Acceptor, _ isGranted: Bool, _ id: ChunkID, _ current: Current,
        _ settle: @escaping AcceptorCompletion
    ) throws(ChunkStoreError) {
        let view = AcceptorView(acceptor: acceptor, chunk: current.view.chunk)
        let outcome = AcceptorOutcome(isGranted: isGranted, view: view)
        guard acceptor != current.acceptor else { return settle(.success(outcome)) }
        try append(.acceptorState, id, current.key, acceptor: acceptor) {
            $0.publishAcceptor($1, over: current)
        } settled: { error in
            settle(error.map { .failure($0) } ?? .success(outcome))
        }
    }
}
