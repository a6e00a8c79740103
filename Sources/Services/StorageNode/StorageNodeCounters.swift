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
    }
}
