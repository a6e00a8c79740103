import Base
import ChunkPaxos
import Synchronization

extension ChunkStore {
    /// Begins to take a chunk's bytes.
    ///
    /// - Parameters:
    ///   - expected: the checksum that the bytes must turn out to have.
    ///   - acceptance: a ballot and a value for the chunk's acceptor to accept in the same durable record. The value
    ///     must say these very bytes: the caller gives its checksum as `expected`. Bytes of another value that are
    ///     there give way to it.
    /// - Throws: when it is clear already that nothing can be stored.
    package func write(_ id: ChunkID, expected: SHA256Digest? = nil, acceptance: Acceptance? = nil)
        throws(ChunkStoreError) -> ChunkWriter
    {
        if let acceptance { try Self.checkMetadata(acceptance.state) }
        let error = state.withLock { state -> ChunkStoreError? in
            if state.isClosed { return .closed }
            return state.statistics.readOnlyReason.map { .readOnly($0) }
        }
        if let error { throw error }
        return ChunkWriter(self, id, expected: expected, acceptance: acceptance)
    }

    /// Deletes the chunk; `completion` gets false when there was none. Its acceptor remembers what it accepted: a node
    /// that deleted its copy must not help to choose another value. The same id may be stored again.
    package func delete(_ id: ChunkID, _ completion: @escaping @Sendable (Result<Bool, ChunkStoreError>) -> Void) {
        change(id, completion) { [self] (current, settle) throws(ChunkStoreError) in
            guard current.chunkEntry != nil else { return settle(.success(false)) }
            // The state is repeated only when the record that goes is the one that has it.
            let carriesState = current.state == nil && current.acceptor != .none
            try append(.tombstone, id, current.key, acceptor: carriesState ? current.acceptor : .none) {
                $0.publishTombstone($1, over: current, bearsState: carriesState)
            } settled: { error in
                settle(error.map { .failure($0) } ?? .success(true))
            }
        }
    }

    func put(
        _ body: ChunkBody, acceptance: Acceptance?,
        _ completion: @escaping @Sendable (Result<PutOutcome, ChunkStoreError>) -> Void
    ) {
        change(body.id, completion) { [self] (current, settle) throws(ChunkStoreError) in
            let acceptor = try acceptance.map { (acceptance) throws(ChunkStoreError) in
                try accepting(acceptance, body.id, current)
            }
            guard let chunk = current.chunk else { return try store(body, acceptor, current, settle) }
            guard chunk.header.checksum == body.checksum, chunk.header.payloadLength == body.payloadLength else {
                // Bytes whose value was never accepted here, or only under a lower ballot, are nobody's: an acceptor
                // that kept them could hold only what cannot be chosen any more.
                if let acceptor { return try replace(body, current, settle, acceptor) }
                throw ChunkStoreError(
                    .conflict,
                    "chunk '\(body.id)' is stored already, with other bytes (\(chunk.header.checksum.tagged))")
            }
            if chunk.isQuarantined { return try replace(body, current, settle, acceptor) }
            guard let acceptor, acceptor != current.acceptor else {
                return settle(.success(.existing(ChunkDescription(chunk.header))))
            }
            try append(.acceptorState, body.id, current.key, acceptor: acceptor) {
                $0.publishAcceptor($1, over: current)
            } settled: { error in
                settle(error.map { .failure($0) } ?? .success(.existing(ChunkDescription(chunk.header))))
            }
        }
    }

    /// Writes the bytes over a copy that is damaged (whoever has them intact mends the node by storing them), or that is
    /// another value's.
    /// - Parameter acceptor: the acceptor's new state; nil when it stays what it is.
    private func replace(
        _ body: ChunkBody, _ current: Current,
        _ settle: @escaping @Sendable (Result<PutOutcome, ChunkStoreError>) -> Void,
        _ acceptor: AcceptorState?
    ) throws(ChunkStoreError) {
        let isInRecord = current.state == nil && current.acceptor != .none
        let carried = acceptor ?? (isInRecord ? current.acceptor : nil)
        try store(body.movingPayload(metadataLength: carried?.metadataCount ?? 0), carried, current, settle)
    }

    /// Writes the record from the body's own buffer.
    /// - Parameter acceptor: what the record says of the acceptor; nil when it says nothing.
    private func store(
        _ body: ChunkBody, _ acceptor: AcceptorState?, _ current: Current,
        _ settle: @escaping @Sendable (Result<PutOutcome, ChunkStoreError>) -> Void
    ) throws(ChunkStoreError) {
        let reservation = try reserve(body.recordLength, for: .content)
        let header = body.encodeRecord(at: reservation, acceptor: acceptor, storedAt: options.time.now())
        let record = UnsafeRawBufferPointer(rebasing: body.buffer.bytes[..<body.recordLength])
        try write(record, to: reservation)
        let entry = IndexEntry(key: current.key, header: header)
        committer.join(
            Commit(
                superblock: reservation.superblock, range: reservation.range,
                durableOffset: reservation.durableOffset,
                publish: { $0.publishChunk(entry, over: current, bearsState: header.bearsAcceptorState) },
                settled: { error in
                    settle(error.map { .failure($0) } ?? .success(.created(ChunkDescription(header))))
                }))
    }

    static func checkMetadata(_ state: AcceptorState) throws(ChunkStoreError) {
        let count = state.metadataCount
        guard count <= RecordHeader.metadataBytesMax else {
            throw ChunkStoreError(
                .metadataTooLarge,
                "the value and its acceptors' names have \(count) bytes; they may have "
                    + "\(RecordHeader.metadataBytesMax) at most")
        }
    }
}

extension ChunkBody {
    /// The same body with room for a head with other metadata before it.
    fileprivate func movingPayload(metadataLength: Int) -> ChunkBody {
        let offset = RecordHeader.payloadOffset(
            idLength: id.description.utf8.count, metadataLength: metadataLength)
        guard offset != payloadOffset else { return self }
        let payload = UnsafeRawBufferPointer(
            rebasing: buffer.bytes[payloadOffset..<payloadOffset + payloadLength])
        UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[offset..<offset + payloadLength]).copyMemory(from: payload)
        return ChunkBody(
            id: id, buffer: buffer, payloadOffset: offset, payloadLength: payloadLength, checksum: checksum)
    }
}
