import Base
import ChunkPaxos
import Digests

/// Takes a chunk's bytes piece by piece, then stores them. Begin one with ``ChunkStore/write(_:expected:acceptance:)``.
///
/// The pieces go straight to where the record is written from, and SHA-256 runs along, so that nothing is left to do
/// at the end but one write and the wait for the disk. Calls come one after the other, from any thread.
package final class ChunkWriter: @unchecked Sendable {
    // One owner calls, one call at a time; nothing is shared while it does.
    private let store: ChunkStore
    private let id: ChunkID
    private let expected: SHA256Digest?
    private let acceptance: Acceptance?
    private let payloadOffset: Int
    private var buffer: PooledBuffer?
    private var count = 0
    private var hash = SHA256()

    init(_ store: ChunkStore, _ id: ChunkID, expected: SHA256Digest?, acceptance: Acceptance?) {
        self.store = store
        self.id = id
        self.expected = expected
        self.acceptance = acceptance
        payloadOffset = RecordHeader.payloadOffset(
            idLength: id.description.utf8.count, metadataLength: acceptance?.state.metadataCount ?? 0)
    }

    /// Takes the next bytes.
    /// - Throws: `chunkTooLarge`, or `busy` when too many bodies are in memory already.
    package func append(_ bytes: UnsafeRawBufferPointer) throws(ChunkStoreError) {
        guard bytes.count > 0 else { return }
        guard count + bytes.count <= store.options.chunkBytesMax else {
            throw ChunkStoreError(
                .chunkTooLarge, "chunk '\(id)' is larger than the \(store.options.chunkBytesMax) bytes a chunk may have"
            )
        }
        let buffer = try takeBuffer()
        let start = payloadOffset + count
        UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[start..<start + bytes.count]).copyMemory(from: bytes)
        count += bytes.count
        hash.update(bytes)
    }

    /// Stores what was appended. `completion` is called once, from any thread, when the chunk (and the acceptance, if
    /// there is one) is durable, or when it will not be. The writer is used up.
    ///
    /// Fails with `emptyChunk`, `checksumMismatch`, `conflict`, `rejected`, `insufficientStorage`, `readOnly`, …
    package func finish(_ completion: @escaping @Sendable (Result<PutOutcome, ChunkStoreError>) -> Void) {
        guard let buffer, count > 0 else {
            return completion(
                .failure(ChunkStoreError(.emptyChunk, "chunk '\(id)' is empty; a chunk has at least one byte")))
        }
        self.buffer = nil
        let checksum = hash.finish()
        if let expected, expected != checksum {
            return completion(
                .failure(
                    ChunkStoreError(
                        .checksumMismatch,
                        "the bytes of chunk '\(id)' have the checksum \(checksum.hex), not \(expected.hex) as announced"
                    )))
        }
        let body = ChunkBody(
            id: id, buffer: buffer, payloadOffset: payloadOffset, payloadLength: count, checksum: checksum)
        store.put(body, acceptance: acceptance, completion)
    }

    /// Lets go of what was appended; nothing is stored.
    package func abort() { buffer = nil }

    private func takeBuffer() throws(ChunkStoreError) -> PooledBuffer {
        if let buffer { return buffer }
        guard let taken = store.buffers.take() else {
            throw ChunkStoreError(.busy, "the node is receiving too many chunks at once; try again in a moment")
        }
        buffer = taken
        return taken
    }
}

/// A chunk's bytes, standing in a buffer with room for the record's head before them.
struct ChunkBody: Sendable {
    let id: ChunkID
    let buffer: PooledBuffer
    let payloadOffset: Int
    let payloadLength: Int
    let checksum: SHA256Digest

    /// Completes the record around the payload. The padding is zeroed: the buffer held another chunk before.
    func encodeRecord(at reservation: Reservation, acceptor: AcceptorState?, storedAt: Timestamp) -> RecordHeader {
        let bytes = buffer.bytes
        let metadata = acceptor?.metadata ?? []
        let payload = UnsafeRawBufferPointer(rebasing: bytes[payloadOffset..<payloadOffset + payloadLength])
        let header = RecordHeader(
            kind: .chunk, idLength: id.description.utf8.count, metadataLength: metadata.count,
            configurationLength: acceptor?.configurationCount ?? 0,
            payloadLength: payloadLength, sequence: reservation.sequence, durableOffset: reservation.durableOffset,
            storedAt: storedAt, promised: acceptor?.vote.promised, acceptedBallot: acceptor?.vote.accepted?.ballot,
            payloadCRC: CRC32C.checksum(payload), checksum: checksum, place: reservation.place)
        let payloadEnd = payloadOffset + payloadLength
        UnsafeMutableRawBufferPointer(rebasing: bytes[payloadEnd..<RecordHeader.aligned(payloadEnd)]).zero()
        header.encode(into: bytes, id: id, metadata: metadata)
        return header
    }

    var recordLength: Int { RecordHeader.aligned(payloadOffset + payloadLength) }
}

extension RecordHeader {
    /// Writes header, id, metadata and the padding up to the payload.
    func encode(into bytes: UnsafeMutableRawBufferPointer, id: ChunkID, metadata: [UInt8]) {
        let idEnd = Self.byteCount + idLength
        id.withUTF8Bytes {
            UnsafeMutableRawBufferPointer(rebasing: bytes[Self.byteCount..<idEnd]).copyMemory(from: $0)
        }
        metadata.withUnsafeBytes {
            UnsafeMutableRawBufferPointer(rebasing: bytes[idEnd..<headLength]).copyMemory(from: $0)
        }
        UnsafeMutableRawBufferPointer(rebasing: bytes[headLength..<payloadOffset]).zero()
        encode(into: bytes)
    }
}

extension UnsafeMutableRawBufferPointer {
    fileprivate func zero() { if count > 0 { initializeMemory(as: UInt8.self, repeating: 0) } }
}
