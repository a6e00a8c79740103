import Base
import Digests
import Synchronization

/// What maintenance knows from one run to the next.
struct Maintenance {
    /// Superblocks that could not be emptied, with the live bytes they had then: as long as these stay the same, trying
    /// again is of no use.
    var blocked: [UInt32: Int] = [:]
    /// Superblocks that are out of use but whose file could not be removed.
    var undead: [UInt32] = []
    /// The next sequence when the last checkpoint was begun; nil when there is none.
    var checkpointSequence: UInt64?
}

/// What compaction did.
package struct CompactionReport: Hashable, Sendable {
    package internal(set) var superblocksRemoved = 0
    /// Bytes of records that were copied.
    package internal(set) var bytesMoved = 0
    /// Bytes of the files that were removed.
    package internal(set) var bytesFreed = 0

    package init() {}
}

// Compaction: what is still needed of a superblock that is mostly waste moves to the log's end, and its file goes.
extension ChunkStore {
    /// Compacts whatever is worth it, now and at full speed. Blocks; reads and writes go on meanwhile.
    /// - Throws: what keeps the store from writing. Superblocks that are damaged are left as they are.
    @discardableResult
    package func compact() throws(ChunkStoreError) -> CompactionReport {
        let result = maintenance.withLock { maintenance in
            maintenance.blocked = [:]
            return Result<CompactionReport, ChunkStoreError> { () throws(ChunkStoreError) in
                var report = CompactionReport()
                while try compactOnce(&maintenance, &report, bytesPerSecond: nil) {}
                return report
            }
        }
        return try result.get()
    }

    /// The next step of compaction; false when there is none to take.
    func compactOnce(_ maintenance: inout Maintenance, _ report: inout CompactionReport, bytesPerSecond: Int?)
        throws(ChunkStoreError) -> Bool
    {
        switch try nextStep(&maintenance) {
        case nil: return false
        case .rotate(let number):
            try beginSuperblock(after: number)
            closeFullSuperblocks()
            // Writes that are under way keep it open; they end soon.
            return state.withLock { $0.tails[number] == nil }
        case .compact(let number):
            do throws(ChunkStoreError) {
                try compact(number, &maintenance, &report, bytesPerSecond)
            } catch  where error.code == .corrupt {
                let liveBytes = state.withLock { $0.usages[number].liveBytes }
                maintenance.blocked[number] = liveBytes
            } catch  where error.code == .insufficientStorage && maintenance.checkpointSequence != nil {
                // The next checkpoint will be smaller.
                try dropCheckpoint(&maintenance)
            }
            return true
        }
    }

    private func nextStep(_ maintenance: inout Maintenance) throws(ChunkStoreError) -> CompactionPlanner.Step? {
        let planner = CompactionPlanner(
            livePercent: options.compactionLivePercent, bytesMin: max(options.compactionBytesMin, 4096))
        let freeBytes = fileSystem.space(in: directory)?.freeBytes
        let blocked = maintenance.blocked
        let hasUndead = !maintenance.undead.isEmpty
        try requireWritable()
        let (candidates, isWhole) = state.withLock { state in
            var candidates = state.compactionCandidates
            for index in candidates.indices {
                let number = candidates[index].number
                if blocked[number] == state.usages[number].liveBytes { candidates[index].isBlocked = true }
            }
            return (candidates, state.isWhole && !hasUndead)
        }
        return planner.next(candidates, freeBytes: freeBytes, isWhole: isWhole)
    }

    /// Empties the superblock and removes it.
    private func compact(
        _ number: UInt32, _ maintenance: inout Maintenance, _ report: inout CompactionReport, _ bytesPerSecond: Int?
    ) throws(ChunkStoreError) {
        let hasUndead = !maintenance.undead.isEmpty
        let (superblock, usage, pinned) = state.withLock {
            ($0.superblocks[number], $0.usages[number], hasUndead ? 0 : $0.pinnedSequenceMin(without: number))
        }
        guard let superblock else { return }
        let pace = CompactionPace(bytesPerSecond: bytesPerSecond) { [self] in state.withLock { $0.isClosed } }
        var compaction = SuperblockCompaction(
            self, superblock, end: usage.end, pinnedSequenceMin: pinned, pace: pace)
        defer {
            report.bytesMoved += compaction.bytesMoved
            state.withLock { $0.statistics.compactionBytesMoved += compaction.bytesMoved }
        }
        try compaction.run()
        guard state.withLock({ $0.usages[number].liveBytes }) == 0 else {
            throw ChunkStoreError(.corrupt, "not everything that is needed was found in superblock \(number)")
        }
        var removed = compaction.removed
        removed.insert(contentsOf: number..<number + 1)
        try recordRemoval(removed)
        try remove(number, &maintenance)
        report.superblocksRemoved += 1
        report.bytesFreed += usage.end
    }

    /// Makes it durable that these superblocks are gone: from now on opening would ignore the file.
    private func recordRemoval(_ numbers: RangeSet<UInt32>) throws(ChunkStoreError) {
        for part in RemovalRecord.split(numbers) {
            let length = RemovalRecord.length(part)
            let reservation = try reserve(length, for: .upkeep)
            let record = RemovalRecord(reservation: reservation, numbers: part, storedAt: options.time.now())
            let written = record.encoded().withUnsafeBytes { bytes in
                Result<Void, ChunkStoreError> { () throws(ChunkStoreError) in try write(bytes, to: reservation) }
            }
            try written.get()
            try awaitCommit(reservation) { $0.usages[reservation.superblock.number].removalBytes += length }
        }
    }

    /// Blocks until the record is durable and counts.
    func awaitCommit(_ reservation: Reservation, publish: @escaping @Sendable (inout State) -> Void)
        throws(ChunkStoreError)
    {
        let failure = Locked<ChunkStoreError?>(nil)
        let done = Awaited(steps: options.steps)
        done.begin()
        committer.join(
            Commit(
                superblock: reservation.superblock, range: reservation.range,
                durableOffset: reservation.durableOffset, publish: publish,
                settled: { error in
                    failure.withLock { $0 = error }
                    done.end()
                }))
        done.wait()
        if let error = failure.withLock({ $0 }) { throw error }
    }

    /// Takes the empty superblock out of use, and its file away. Whoever reads from it keeps it until done.
    private func remove(_ number: UInt32, _ maintenance: inout Maintenance) throws(ChunkStoreError) {
        state.withLock { state in
            state.superblocks[number] = nil
            state.usages.forget(number)
            state.statistics.compactions += 1
        }
        do throws(ChunkStoreError) {
            try replaceCheckpoint(&maintenance, leaving: number)
            try removeFile(number)
        } catch {
            maintenance.undead.append(number)
            throw error
        }
    }

    /// No checkpoint may name a superblock that is gone: it would pass for lost.
    private func replaceCheckpoint(_ maintenance: inout Maintenance, leaving number: UInt32) throws(ChunkStoreError) {
        do throws(ChunkStoreError) {
            try writeCheckpoint(&maintenance, leaving: number)
        } catch  where error.code == .insufficientStorage {
            try dropCheckpoint(&maintenance)
        }
    }

    private func dropCheckpoint(_ maintenance: inout Maintenance) throws(ChunkStoreError) {
        maintenance.checkpointSequence = nil
        do throws(FileSystemError) {
            try CheckpointFiles(directory: directory, fileSystem: fileSystem).remove()
        } catch {
            throw failedUpkeep(error)
        }
    }

    private func removeFile(_ number: UInt32) throws(ChunkStoreError) {
        do throws(FileSystemError) {
            try SuperblockFiles(directory: directory, options: options, fileSystem: fileSystem).remove(number)
        } catch {
            throw failedUpkeep(error)
        }
    }
}

extension ChunkStore.State {
    /// Nothing is written to the superblock any more.
    mutating func seal(_ number: UInt32) {
        guard let tail = tails.removeValue(forKey: number) else { return }
        usages[number].end = tail.end
        usages[number].lastRecordOffset = tail.lastDurableOffset
    }

    /// Nothing of the log is known to be damaged or lost.
    var isWhole: Bool { lostNumbers.isEmpty && usages.byNumber.allSatisfy { $0.value.corruptRecords == 0 } }

    /// Sequence of the oldest chunk record that is out of date and stands in another superblock, or less. What is lost
    /// may be anything.
    func pinnedSequenceMin(without number: UInt32) -> UInt64 {
        guard isWhole else { return 0 }
        return usages.byNumber.reduce(UInt64.max) {
            $1.key == number ? $0 : min($0, $1.value.deadSequenceMin)
        }
    }

    /// What the planner chooses from.
    var compactionCandidates: [CompactionPlanner.Candidate] {
        let isWhole = isWhole
        let lowest = usages.byNumber.map(\.value.deadSequenceMin).sorted().prefix(2)
        return superblocks.keys.sorted().compactMap { number in
            let usage = usages[number]
            let tail = tails[number]
            let isActive = number == activeNumber
            // Its last writes are under way.
            if tail != nil, !isActive { return nil }
            // Of all the others, since what goes with this superblock hides nothing any more.
            let pinned = (usage.deadSequenceMin == lowest.first ? lowest.dropFirst().first : lowest.first) ?? .max
            return CompactionPlanner.Candidate(
                number: number, usedBytes: (tail?.end ?? usage.end) - SuperblockHeader.recordsOffset,
                liveBytes: usage.liveBytes + usage.removalBytes, tombstoneBytes: usage.plainTombstoneBytes,
                tombstonesArePinned: !isWhole || usage.tombstoneSequenceMax > pinned,
                deadSequenceMin: usage.deadSequenceMin, isActive: isActive, isBlocked: usage.corruptRecords > 0)
        }
    }
}
