import Base
import ChunkPaxos
import Synchronization

extension ChunkStore {
    /// Begins to take a chunk's bytes.
    ///
    /// - Parameters:
    ///   - expected: the checksum that the bytes must turn out to have.
    ///   - acceptance: a ballot and a value for the chunk's acceptor to accept in the same durable record. The value
    ///     must say these very bytes: the caller gives its checksum as `expected`.
    /// - Throws: when it is clear already that nothing can be stored.
    package func write(_ id: ChunkID, expected: SHA256Digest? = nil, acceptance: Acceptor.Accepted? = nil)
        throws(ChunkStoreError) -> ChunkWriter
    {
        if let acceptance { try Self.checkMetadata(acceptance.value) }
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
            let carriesState = current.state == nil && current.acceptor != Acceptor()
            try append(.tombstone, id, current.key, acceptor: carriesState ? current.acceptor : Acceptor()) {
                $0.publishTombstone($1, over: current, bearsState: carriesState)
            } settled: { error in
                settle(error.map { .failure($0) } ?? .success(true))
            }
        }
    }

    func put(
        _ body: ChunkBody, acceptance: Acceptor.Accepted?,
        _ completion: @escaping @Sendable (Result<PutOutcome, ChunkStoreError>) -> Void
    ) {
        change(body.id, completion) { [self] (current, settle) throws(ChunkStoreError) in
            var acceptor = current.acceptor
            if let acceptance, acceptance != acceptor.accepted { try requireWholeLog(body.id) }
            if let acceptance, acceptor.onAccept(acceptance.ballot, value: acceptance.value) != .accepted {
                throw Self.rejected(body.id, current.acceptor)
            }
            guard let chunk = current.chunk else {
                return try store(body, acceptance == nil ? nil : acceptor, current, settle)
            }
            guard chunk.header.checksum == body.checksum, chunk.header.payloadLength == body.payloadLength else {
                throw ChunkStoreError(
                    .conflict,
                    "chunk '\(body.id)' is stored already, with other bytes (\(chunk.header.checksum.tagged))")
            }
            if chunk.isQuarantined { return try replace(body, current, settle, acceptance == nil, acceptor) }
            guard acceptor != current.acceptor else {
                return settle(.success(.existing(ChunkDescription(chunk.header))))
            }
            try append(.acceptorState, body.id, current.key, acceptor: acceptor) {
                $0.publishAcceptor($1, over: current)
            } settled: { error in
                settle(error.map { .failure($0) } ?? .success(.existing(ChunkDescription(chunk.header))))
            }
        }
    }

    /// Writes the bytes again over a copy that is damaged: whoever has them intact mends the node by storing them.
    private func replace(
        _ body: ChunkBody, _ current: Current,
        _ settle: @escaping @Sendable (Result<PutOutcome, ChunkStoreError>) -> Void,
        _ isPlain: Bool, _ acceptor: Acceptor
    ) throws(ChunkStoreError) {
        let carried = current.state == nil && acceptor != Acceptor() || !isPlain ? acceptor : nil
        try store(body.movingPayload(metadataLength: carried?.accepted?.value.count ?? 0), carried, current, settle)
    }

    /// Writes the record from the body's own buffer.
    /// - Parameter acceptor: what the record says of the acceptor; nil when it says nothing.
    private func store(
        _ body: ChunkBody, _ acceptor: Acceptor?, _ current: Current,
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

    static func rejected(_ id: ChunkID, _ acceptor: Acceptor) -> ChunkStoreError {
        ChunkStoreError(
            .rejected(acceptor),
            "the acceptor of chunk '\(id)' has promised or accepted otherwise"
                + (acceptor.promised.map { " (ballot \($0))" } ?? ""))
    }

    static func checkMetadata(_ value: [UInt8]) throws(ChunkStoreError) {
        guard value.count <= RecordHeader.metadataBytesMax else {
            throw ChunkStoreError(
                .metadataTooLarge,
                "the value has \(value.count) bytes; it may have \(RecordHeader.metadataBytesMax) at most")
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
