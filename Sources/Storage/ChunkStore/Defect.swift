/// A way to break the store on purpose. Tests that nothing can fail prove nothing, so there must be some that each of
/// these fails. Only debug builds can be broken; in a release build nothing is left of it.
package enum Defect: Sendable, CaseIterable {
    /// Takes payloads for intact without comparing their CRC.
    case skipsPayloadCRC
    /// Compaction takes tombstones for waste, though an older record of their chunk may stand somewhere else.
    case dropsTombstones
    /// Takes a checkpoint for true without comparing it with the superblocks that are there.
    case trustsStaleCheckpoint
}

extension ChunkStore.Options {
    func has(_ defect: Defect) -> Bool {
        #if DEBUG
            self.defect == defect
        #else
            false
        #endif
    }
}
