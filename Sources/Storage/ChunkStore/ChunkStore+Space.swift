import Base
import Dispatch
import Synchronization

// What becomes of the store when its disk refuses a write.
extension ChunkStore {
    /// Takes note of a failed write and says what it means for whoever wanted it. After a failed synchronization
    /// nothing is written any more; after a full disk the store says so until there is room.
    func failed(_ error: FileSystemError) -> ChunkStoreError {
        // Nothing counts on what a synchronization found no room for: whoever called makes it anew.
        if error.isSynchronization, !error.isDiskFull {
            becomeReadOnly(error)
            return .readOnly(state.withLock { $0.statistics.readOnlyReason } ?? error.reason)
        }
        if error.isDiskFull { state.withLock { $0.statistics.isDiskFull = true } }
        return .writing(error)
    }

    func becomeReadOnly(_ error: FileSystemError) { becomeReadOnly("its disk failed to write: \(error.reason)") }

    /// The first reason stays.
    func becomeReadOnly(_ reason: String) {
        state.withLock { $0.statistics.readOnlyReason = $0.statistics.readOnlyReason ?? reason }
    }

    /// After the disk was full: finds out whether there is room for a chunk again, takes it, and writes a record that
    /// says nothing, since some file systems promise room that they do not have. Does nothing at any other time. Blocks.
    package func lookForSpace() {
        let isCalledFor = state.withLock { state in
            let isCalledFor = state.statistics.isDiskFull && state.statistics.readOnlyReason == nil && !state.isClosed
            if isCalledFor { underWay.enter() }
            return isCalledFor
        }
        guard isCalledFor else { return }
        defer { underWay.leave() }
        let length = RecordHeader.length(
            idLength: ChunkID.lengthMax, metadataLength: RecordHeader.metadataBytesMax,
            payloadLength: options.chunkBytesMax)
        do throws(ChunkStoreError) {
            try makeRoom(for: length)
            try appendVoid()
            state.withLock { $0.statistics.isDiskFull = false }
        } catch {
            // Still full, and known to be.
            state.withLock { $0.statistics.isDiskFull = true }
        }
    }

    private func appendVoid() throws(ChunkStoreError) {
        let reservation = try reserve(RecordHeader.byteCount, for: .upkeep)
        do {
            try VoidRecord(
                superblock: reservation.superblock, range: reservation.range, sequence: reservation.sequence,
                durableOffset: reservation.durableOffset, storedAt: options.time.now()
            ).write()
        } catch {
            abandon(reservation)
            throw failed(error)
        }
        try awaitCommit(reservation) { _ in }
    }
}
