import Base
import ChunkStore
import HTTPTypes

/// Answers with small chunks that were read lately, ready to be sent again: an init segment or a thumbnail is read by
/// everybody who looks at its video, and making its answer costs more than sending it.
///
/// An answer holds a copy of the bytes, so that it keeps no mapping. Whoever asks for one has found and verified the
/// chunk before: a deleted or damaged chunk is never answered from here. Bounded: ``slotCount`` answers a core.
struct ReadyAnswers: Sendable {
    /// Larger chunks cost more to send than their headers do to make.
    static let chunkBytesMax = 16 * ByteCount.kibibyte
    private static let slotCount = 64

    private let slots = PerCore([Slot?](repeating: nil, count: slotCount))

    /// All that an answer depends on.
    private struct Key: Equatable {
        let checksum: SHA256Digest
        let superblock: UInt32
    }

    private struct Slot {
        let key: Key
        /// Made when the chunk is read a second time, as most are read once.
        var response: PreparedResponse?
    }

    /// - Parameter make: the answer for a client that asks for the whole chunk and nothing else.
    /// - Returns: nil when the chunk was not read lately; the next call will remember this one.
    func answer(to chunk: ChunkDescription, make: () -> Response) -> PreparedResponse? {
        let key = Key(checksum: chunk.checksum, superblock: chunk.superblock)
        let index = Int(truncatingIfNeeded: chunk.checksum.prefix.0) & (Self.slotCount - 1)
        return slots.withLock { slots in
            guard let slot = slots[index], slot.key == key else {
                slots[index] = Slot(key: key)
                return nil
            }
            if let response = slot.response { return response }
            let response = PreparedResponse(make())
            slots[index]?.response = response
            return response
        }
    }
}
