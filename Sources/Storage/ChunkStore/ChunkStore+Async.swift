import Base
import ChunkPaxos
import Dispatch

// For callers that await. What blocks runs on the store's own queue, never on the callers' threads.
extension ChunkStore {
    /// Stores the bytes.
    package func put(
        _ id: ChunkID, _ bytes: [UInt8], expected: SHA256Digest? = nil, acceptance: Acceptance? = nil
    ) async throws(ChunkStoreError) -> PutOutcome {
        try await settled { [self] completion in
            do throws(ChunkStoreError) {
                let writer = try write(id, expected: expected, acceptance: acceptance)
                let appended = bytes.withUnsafeBytes { buffer in
                    Result<Void, ChunkStoreError> { () throws(ChunkStoreError) in try writer.append(buffer) }
                }
                try appended.get()
                writer.finish(completion)
            } catch {
                completion(.failure(error))
            }
        }
    }

    package func delete(_ id: ChunkID) async throws(ChunkStoreError) -> Bool {
        try await settled { [self] in delete(id, $0) }
    }

    package func ask(
        _ id: ChunkID, _ request: ChunkAcceptor.Request, holding bytes: BytesClaim? = nil
    ) async throws(ChunkStoreError) -> AcceptorOutcome {
        try await settled { [self] in ask(id, request, holding: bytes, $0) }
    }

    package func acceptorView(_ id: ChunkID) async throws(ChunkStoreError) -> AcceptorView {
        try await settled { [self] completion in
            completion(Result { () throws(ChunkStoreError) in try acceptor(id) })
        }
    }

    /// ``lookForSpace()`` for callers that must not be blocked.
    package func lookedForSpace() async {
        guard statistics.isDiskFull else { return }
        await withCheckedContinuation { continuation in
            resumption.async { [self] in
                lookForSpace()
                continuation.resume()
            }
        }
    }

    /// A page of ``acceptors(after:limit:)``.
    package func acceptorPage(after cursor: ListingCursor?, limit: Int) async throws(ChunkStoreError) -> AcceptorPage {
        try await settled { [self] completion in
            completion(Result { () throws(ChunkStoreError) in try acceptors(after: cursor, limit: limit) })
        }
    }

    /// ``close()`` for callers that must not be blocked.
    package func closed() async {
        await withCheckedContinuation { continuation in
            resumption.async { [self] in
                close()
                continuation.resume()
            }
        }
    }

    private func settled<Outcome: Sendable>(
        _ begin: @escaping @Sendable (@escaping @Sendable (Result<Outcome, ChunkStoreError>) -> Void) -> Void
    ) async throws(ChunkStoreError) -> Outcome {
        let result = await withCheckedContinuation { continuation in
            resumption.async { begin { continuation.resume(returning: $0) } }
        }
        return try result.get()
    }
}
