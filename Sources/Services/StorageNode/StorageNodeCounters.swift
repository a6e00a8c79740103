import Base
import ChunkStore

/// What a storage node counts.
struct StorageNodeCounters: Sendable {
    let puts: Counter
    let gets: Counter
    let deletes: Counter
    let bytesRead: Counter

    init(_ metrics: Metrics, store: ChunkStore, disk: DiskUsage) {
        puts = metrics.counter("vstack_storage_puts_total", "Chunks that a PUT or POST stored or found stored.")
        gets = metrics.counter("vstack_storage_gets_total", "Chunks that were read.")
        deletes = metrics.counter("vstack_storage_deletes_total", "Chunks that were deleted.")
        bytesRead = metrics.counter("vstack_storage_read_bytes_total", "Bytes of chunks that were read and verified.")
        metrics.gauge("vstack_storage_chunks", "Chunks on this node.") { Double(store.chunkCount) }
        metrics.gauge("vstack_storage_chunk_bytes", "Bytes of the chunks on this node.") {
            Double(store.statistics.chunkBytes)
        }
        metrics.gauge("vstack_storage_corrupt_chunks", "Chunks that failed their checksum.") {
            Double(store.statistics.corruptChunks)
        }
        metrics.gauge("vstack_storage_corrupt_records", "Damaged stretches of the log, found when it was opened.") {
            Double(store.statistics.corruptRecords)
        }
        metrics.gauge("vstack_storage_read_only", "1 after a failed synchronization, until restarted.") {
            store.statistics.readOnlyReason == nil ? 0 : 1
        }
        metrics.gauge("vstack_storage_disk_usage_percent", "How full the disk is.") { disk.current.percent }
        metrics.counter("vstack_storage_fsyncs_total", "Synchronizations of the disk.") {
            store.statistics.synchronizations
        }
        addUpkeep(metrics, store)
    }

    /// Compaction, the index and checkpoints.
    private func addUpkeep(_ metrics: Metrics, _ store: ChunkStore) {
        metrics.gauge("vstack_storage_index_bytes", "Memory that the index takes.") {
            Double(store.statistics.indexBytes)
        }
        metrics.gauge("vstack_storage_superblocks", "Files of the log.") { Double(store.statistics.superblockCount) }
        metrics.gauge("vstack_storage_lost_superblocks", "Files of the log that are missing.") {
            Double(store.statistics.lostSuperblocks)
        }
        metrics.gauge("vstack_storage_live_bytes", "Bytes of the log that are needed.") {
            Double(store.statistics.liveBytes)
        }
        metrics.gauge("vstack_storage_dead_bytes", "Bytes of the log that compaction may give back.") {
            Double(store.statistics.deadBytes)
        }
        metrics.counter("vstack_storage_compactions_total", "Superblocks that were emptied and removed.") {
            store.statistics.compactions
        }
        metrics.counter("vstack_storage_compaction_moved_bytes_total", "Bytes that compaction copied.") {
            store.statistics.compactionBytesMoved
        }
        metrics.gauge("vstack_storage_checkpoint_timestamp_seconds", "When the last checkpoint was written.") {
            store.statistics.checkpointedAt.map { Double($0.nanoseconds) / 1e9 } ?? 0
        }
        metrics.gauge("vstack_storage_opening_seconds", "How long opening the store took.") {
            store.statistics.openingSeconds
        }
        metrics.gauge("vstack_storage_opened_by_scan", "1 when opening had to read the whole log.") {
            store.statistics.openingMode == .scan ? 1 : 0
        }
    }
}
