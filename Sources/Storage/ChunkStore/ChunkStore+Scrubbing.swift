import Base
import Synchronization

// What the scrubber asks of the store.
extension ChunkStore {
    /// The superblocks as they are, in order, each as far as it is durable.
    func logExtents() -> [ScrubPlan.Extent] {
        let extents = state.withLock { state in
            state.superblocks.keys.map { number in
                ScrubPlan.Extent(
                    superblock: number, end: state.tails[number]?.durableEnd ?? state.usages[number].end)
            }
        }
        return extents.filter { $0.end > SuperblockHeader.recordsOffset }
            .sorted { $0.superblock < $1.superblock }
    }

    func superblock(_ number: UInt32) -> Superblock? { state.withLock { $0.superblocks[number] } }

    /// Takes up what an earlier process found damaged. A chunk stays quarantined until it is stored again or deleted;
    /// a stretch of the log counts only if it still cannot be read.
    func restore(_ memory: ScrubMemory) {
        for chunk in memory.damagedChunks {
            guard let key = IndexKey(hex: chunk.key) else { continue }
            quarantine(key, chunk.id, superblock: chunk.superblock, offset: chunk.offset)
        }
        for stretch in memory.damagedStretches {
            let begin = SuperblockHeader.recordsOffset
            guard let superblock = superblock(stretch.superblock), stretch.offset >= begin, stretch.byteCount > 0,
                stretch.byteCount <= superblock.mapping.bytes.count - stretch.offset
            else { continue }
            let range = stretch.offset..<stretch.offset + stretch.byteCount
            if superblock.isStillDamaged(range) { noteLost(range, in: superblock) }
        }
    }
}
