import Base
import Synchronization

// What becomes of the store when its disk refuses a write.
extension ChunkStore {
    /// Takes note of a failed write and says what it means for whoever wanted it. After a failed synchronization
    /// nothing is written any more; after a full disk the store says so until there is room.
    func failed(_ error: FileSystemError) -> ChunkStoreError {
        if error.isFailedSynchronization { return .readOnly(becomeReadOnly(error)) }
        if error.isDiskFull { state.withLock { $0.statistics.isDiskFull = true } }
        return .writing(error)
    }

    /// - Returns: the reason that counts: the first.
    @discardableResult
    func becomeReadOnly(_ error: FileSystemError) -> String {
        state.withLock { state in
            let reason = state.statistics.readOnlyReason ?? "its disk failed to write: \(error.reason)"
            state.statistics.readOnlyReason = reason
            return reason
        }
    }

    /// After the disk was full: finds out whether there is room for a chunk again, and takes it. Does nothing at any
    /// other time. Blocks.
    package func lookForSpace() {
        guard state.withLock({ $0.statistics.isDiskFull && $0.statistics.readOnlyReason == nil && !$0.isClosed }) else {
            return
        }
        let length = RecordHeader.length(
            idLength: ChunkID.lengthMax, metadataLength: RecordHeader.metadataBytesMax,
            payloadLength: options.chunkBytesMax)
        do throws(ChunkStoreError) {
            try makeRoom(for: length)
        } catch {
            // Still full: the flag stands.
            return
        }
        state.withLock { $0.statistics.isDiskFull = false }
    }
}

extension FileSystemError {
    /// What a failed synchronization leaves on the disk is unknown, so that no later one can be believed.
    var isFailedSynchronization: Bool { operation == "fdatasync" || operation == "fsync" }
}
