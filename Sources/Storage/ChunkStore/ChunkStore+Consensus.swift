import Base
import ChunkPaxos
import Synchronization

// The chunks' acceptors. What is decided is `Acceptor`'s; here it is made durable before it is said.
extension ChunkStore {
    package typealias AcceptorCompletion = @Sendable (Result<AcceptorOutcome, ChunkStoreError>) -> Void

    /// Which acceptor this store is, for every chunk.
    package var acceptorID: AcceptorID {
        id.bytes.withUnsafeBytes { bytes in
            AcceptorID(
                high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
        }
    }

    /// Phase 1.
    package func prepare(_ id: ChunkID, _ ballot: Ballot, _ completion: @escaping AcceptorCompletion) {
        change(id, completion) { [self] (current, settle) throws(ChunkStoreError) in
            try requireWholeLog(id)
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
            if current.acceptor.accepted != accepted { try requireWholeLog(id) }
            guard let chunk = current.view.chunk, chunk.checksum == checksum, chunk.sizeBytes == sizeBytes else {
                return settle(.success(AcceptorOutcome(isGranted: false, view: current.view)))
            }
            var acceptor = current.acceptor
            let isGranted = acceptor.onAccept(accepted.ballot, value: accepted.value) == .accepted
            try keep(acceptor, isGranted, id, current, settle)
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
