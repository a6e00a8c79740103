import Base
import ChunkStore

/// What a storage node counts.
struct StorageNodeCounters: Sendable {
    let puts: Counter
    let gets: Counter
    let deletes: Counter
    let bytesRead: Counter
    let bytesWritten: Counter

    init(_ metrics: Metrics, store: ChunkStore, disk: DiskUsage) {
        puts = metrics.counter("vstack_storage_puts_total", "Chunks that a PUT or POST stored or found stored.")
        gets = metrics.counter("vstack_storage_gets_total", "Chunks that were read.")
        deletes = metrics.counter("vstack_storage_deletes_total", "Chunks that were deleted.")
        bytesRead = metrics.counter("vstack_storage_read_bytes_total", "Bytes of chunks that were read and verified.")
        bytesWritten = metrics.counter("vstack_storage_written_bytes_total", "Bytes of chunks that were taken.")
        metrics.gauge("vstack_storage_chunks", "Chunks on this node.") { Double(store.chunkCount) }
        metrics.gauge("vstack_storage_chunk_bytes", "Bytes of the chunks on this node.") {
            Double(store.statistics.chunkBytes)
        }
        metrics.gauge("vstack_storage_corrupt_chunks", "Chunks that are damaged on disk and not served.") {
            Double(store.statistics.corruptChunks)
        }
        metrics.gauge("vstack_storage_corrupt_records", "Stretches of the log in which no record can be read.") {
            Double(store.statistics.corruptRecords)
        }
        metrics.gauge("vstack_storage_read_only", "1 after a failed synchronization, until restarted.") {
            store.statistics.readOnlyReason == nil ? 0 : 1
        }
        metrics.gauge("vstack_storage_disk_full", "1 after a write failed for want of space, until there is room.") {
            store.statistics.isDiskFull ? 1 : 0
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

    func add(_ scrubber: Scrubber, to metrics: Metrics) {
        metrics.counter("vstack_storage_scrub_bytes_total", "Bytes of the log that the scrubber has verified.") {
            scrubber.totals.bytes
        }
        metrics.counter("vstack_storage_scrub_damaged_total", "Records that the scrubber has found damaged.") {
            scrubber.totals.damaged
        }
        metrics.counter("vstack_storage_scrub_passes_total", "Times that the scrubber has come to the log's end.") {
            scrubber.totals.passes
        }
        metrics.gauge("vstack_storage_scrub_running", "1 while the scrubber is at work.") {
            scrubber.progress.state == .running ? 1 : 0
        }
    }

    /// What clients have made the node do.
    var load: ForegroundLoad {
        ForegroundLoad(requests: gets.value + puts.value, bytes: bytesRead.value + bytesWritten.value)
    }
}
