import Base
import Synchronization

// What the scrubber asks of the store.
extension ChunkStore {
    /// The superblocks as they are, in order, each as far as it is durable.
    func logExtents() -> [ScrubPlan.Extent] {
        let superblocks = state.withLock { state in
            state.superblocks.values.map { ($0, state.tails[$0.number]?.durableEnd) }
        }
        return superblocks.sorted { $0.0.number < $1.0.number }.compactMap { superblock, durableEnd in
            let end = durableEnd ?? (try? superblock.file.size()) ?? 0
            guard end > SuperblockHeader.recordsOffset else { return nil }
            return ScrubPlan.Extent(superblock: superblock.number, end: end)
        }
    }

    func superblock(_ number: UInt32) -> Superblock? { state.withLock { $0.superblocks[number] } }

    /// How far a superblock that is written to is durable; nil for the others.
    func durableEnd(of superblock: UInt32) -> Int? { state.withLock { $0.tails[superblock]?.durableEnd } }

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
