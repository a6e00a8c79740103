import Base

/// Compaction of a store that no node has open.
package struct OfflineCompaction: Encodable, Sendable {
    package let superblocksRemoved: Int
    /// Of records that were copied.
    package let movedBytes: Int
    /// What the folder takes less now, the copies counted.
    package let freedBytes: Int
    package let liveBytes: Int
    package let deadBytes: Int
    /// Damaged stretches and lost superblocks. What is damaged is left as it is.
    package let corruptRecords: Int

    /// Compacts whatever is worth it, as the node itself would.
    /// - Throws: ``ChunkStoreError``: `inUse` when a node has the directory open; `unreadable` when there is no store.
    package init(directory: String, superblockBytesMax: Int, livePercent: Int) throws(ChunkStoreError) {
        // Opening a store makes one where there is none; looking does not.
        _ = try StoreInspector(directory: directory, use: .alone)
        var options = ChunkStore.Options()
        options.superblockBytesMax = superblockBytesMax
        options.compactionLivePercent = livePercent
        // Whoever asks wants little, too.
        options.compactionBytesMin = 0
        options.maintainsItself = false
        let store = try ChunkStore(directory: directory, options: options)
        defer { store.close() }
        let before = store.logExtents().reduce(0) { $0 + $1.end }
        let report = try store.compact()
        let statistics = store.statistics
        superblocksRemoved = report.superblocksRemoved
        movedBytes = report.bytesMoved
        freedBytes = before - store.logExtents().reduce(0) { $0 + $1.end }
        liveBytes = statistics.liveBytes
        deadBytes = statistics.deadBytes
        corruptRecords = statistics.corruptRecords
    }
}
