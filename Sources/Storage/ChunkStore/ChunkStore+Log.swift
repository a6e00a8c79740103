import Base
import ChunkPaxos
import Digests
import Synchronization

/// A place in the log for one record, and the numbers that the record carries.
struct Reservation {
    let superblock: Superblock
    let range: Range<Int>
    let sequence: UInt64
    let durableOffset: Int

    var place: RecordPlace { superblock.place(range.lowerBound) }
}

/// A record that is written and waits to become durable.
struct Commit: Sendable {
    let superblock: Superblock
    let range: Range<Int>
    let durableOffset: Int
    /// Makes the record count; called under the lock once it is durable.
    let publish: (@Sendable (inout ChunkStore.State) -> Void)?
    /// Called outside the lock: nil when the record is durable and counts.
    let settled: @Sendable (ChunkStoreError?) -> Void
}

// The log's end: reserving, growing, closing superblocks, and the group commit.
extension ChunkStore {
    /// What a record is for.
    enum Purpose {
        /// A chunk's bytes; they leave room for upkeep.
        case content
        /// What helps to win room back, or is needed to go on with what there is.
        case upkeep
    }

    /// Reserves a place for a record of `length` bytes, making the log longer where needed.
    func reserve(_ length: Int, for purpose: Purpose) throws(ChunkStoreError) -> Reservation {
        while true {
            switch tryReserve(length) {
            case .reserved(let reservation): return reservation
            case .refused(let error): throw error
            case .needsSpace(let superblock): try grow(superblock, for: length, purpose)
            case .needsSuperblock(let number): try beginSuperblock(after: number)
            }
        }
    }

    /// Makes the log so long that a chunk's record of `length` bytes fits.
    func makeRoom(for length: Int) throws(ChunkStoreError) {
        while true {
            let tail = state.withLock { state in
                state.tails[state.activeNumber].flatMap { tail in
                    state.superblocks[state.activeNumber].map { (superblock: $0, tail: tail) }
                }
            }
            guard let (superblock, tail) = tail else { throw .closed }
            if !tail.hasRoom(for: length) {
                try beginSuperblock(after: superblock.number)
            } else if !tail.isAllocated(for: length + LogTail.closingBytes) {
                try grow(superblock, for: length, .content)
            } else {
                return
            }
        }
    }

    private enum ReservationAttempt {
        case reserved(Reservation)
        case refused(ChunkStoreError)
        case needsSpace(Superblock)
        case needsSuperblock(after: UInt32)
    }

    private func tryReserve(_ length: Int) -> ReservationAttempt {
        state.withLock { state in
            if let reason = state.statistics.readOnlyReason { return .refused(.readOnly(reason)) }
            let number = state.activeNumber
            guard var tail = state.tails[number], let superblock = state.superblocks[number] else {
                return .refused(.closed)
            }
            guard tail.hasRoom(for: length) else { return .needsSuperblock(after: number) }
            guard tail.isAllocated(for: length + LogTail.closingBytes) else { return .needsSpace(superblock) }
            let durableOffset = tail.durableEnd
            let range = tail.reserve(length)
            state.tails[number] = tail
            defer { state.nextSequence += 1 }
            return .reserved(
                Reservation(
                    superblock: superblock, range: range, sequence: state.nextSequence, durableOffset: durableOffset))
        }
    }

    /// Makes the active superblock's file longer. Doubles it, within limits, so that a small store stays small.
    private func grow(_ superblock: Superblock, for length: Int, _ purpose: Purpose) throws(ChunkStoreError) {
        let error = growth.withLock { _ -> FileSystemError? in
            guard let tail = state.withLock({ $0.tails[superblock.number] }),
                !tail.isAllocated(for: length + LogTail.closingBytes)
            else { return nil }
            let needed = tail.end + length + LogTail.closingBytes
            let step = min(max(tail.allocated, 4 * ByteCount.mebibyte), options.preallocationBytesMax)
            let wanted = min(max(tail.allocated + step, needed), tail.capacity)
            do throws(FileSystemError) {
                let open = try openBytes(purpose, atLeast: needed - tail.allocated)
                try allocate(superblock, tail.allocated..<min(wanted, tail.allocated + open), atLeast: needed)
                if purpose == .content { state.withLock { $0.statistics.isDiskFull = false } }
                return nil
            } catch {
                return error
            }
        }
        if let error { throw failed(error) }
    }

    /// How much of the disk the purpose may take.
    private func openBytes(_ purpose: Purpose, atLeast needed: Int) throws(FileSystemError) -> Int {
        guard purpose == .content, let space = fileSystem.space(in: directory) else { return .max / 2 }
        let superblockRest = options.superblockBytesMax / 100 * options.compactionLivePercent
        let open = space.freeBytes - (options.reserveBytes ?? min(superblockRest, space.totalBytes / 50))
        guard open >= needed else { throw .diskFull("fallocate", directory) }
        return open
    }

    private func allocate(_ superblock: Superblock, _ range: Range<Int>, atLeast needed: Int) throws(FileSystemError) {
        var end = range.upperBound
        do {
            try superblock.file.allocate(range)
        } catch  where error.isDiskFull {
            // Not all that was wanted, but perhaps what is needed.
            try superblock.file.allocate(range.lowerBound..<needed)
            end = needed
        } catch {
            // A file system that cannot reserve: the file grows as it is written.
        }
        state.withLock { $0.tails[superblock.number]?.allocated = end }
    }

    func beginSuperblock(after number: UInt32) throws(ChunkStoreError) {
        let error = growth.withLock { _ -> FileSystemError? in
            guard state.withLock({ $0.activeNumber == number }) else { return nil }
            let files = SuperblockFiles(directory: directory, options: options, fileSystem: fileSystem)
            do throws(FileSystemError) {
                let superblock = try files.create(number + 1, store: id)
                state.withLock { state in
                    state.superblocks[superblock.number] = superblock
                    state.tails[superblock.number] = files.emptyTail
                    state.activeNumber = superblock.number
                }
                return nil
            } catch {
                return error
            }
        }
        if let error { throw failed(error) }
    }

    /// Writes a record to its place. When that fails the place is given back, or filled so that it never looks like
    /// damage. A write that broke off in the middle makes the store read-only: enough of the record may be there for a
    /// restart to find it, and until then nobody can say whether it counts.
    func write(_ bytes: UnsafeRawBufferPointer, to reservation: Reservation) throws(ChunkStoreError) {
        do {
            try reservation.superblock.file.write(bytes, at: reservation.range.lowerBound)
        } catch {
            abandon(reservation)
            if error.writtenBytes > 0 { becomeReadOnly("a write to its disk broke off: \(error.reason)") }
            throw failed(error)
        }
    }

    func abandon(_ reservation: Reservation) {
        let hole = Hole(superblock: reservation.superblock, range: reservation.range)
        state.withLock { state in
            let isTakenBack = state.tails[hole.superblock.number]?.onFailed(hole.range) ?? true
            if !isTakenBack { state.holes.append(hole) }
        }
    }

    /// Runs on the commit thread: one synchronization for each superblock that was written to, then everything in the
    /// group counts, then it is acknowledged.
    func commit(_ group: [Commit]) {
        let filled = fillHoles()
        _ = synchronize(group.map(\.superblock) + filled.map(\.superblock))
        let failure = state.withLock { state -> ChunkStoreError? in
            if let reason = state.statistics.readOnlyReason { return .readOnly(reason) }
            for hole in filled { state.tails[hole.superblock.number]?.onDurable(hole.range, durableOffset: 0) }
            for commit in group {
                state.tails[commit.superblock.number]?.onDurable(commit.range, durableOffset: commit.durableOffset)
                commit.publish?(&state)
            }
            return nil
        }
        for commit in group { commit.settled(failure) }
        if failure == nil {
            for commit in group { releaseCache(of: commit) }
            closeFullSuperblocks()
        }
    }

    /// Lets the kernel have the memory of a large record that is on the disk, but for its head, which the commit of the
    /// chunk asks for, and for what somebody has read already. Of a video's copies most are not read for long, and
    /// memory that the next record can be written to at once is ten times as fast as new memory where that must come
    /// from a hypervisor (0.3 against 3 GB/s, measured).
    private func releaseCache(of commit: Commit) {
        let body = commit.range.dropFirst(RecordHeader.headBytesMax)
        if body.count >= Self.cachedRecordBytesMax { commit.superblock.file.dropCache(of: body) }
    }

    /// Synchronizes each superblock once. After the first failure there is nothing more to do: what a failed
    /// synchronization left on the disk is unknown, and asking again would only seem to succeed.
    /// - Returns: whether all is durable; if not, the store is read-only.
    private func synchronize(_ superblocks: [Superblock]) -> Bool {
        var seen: [UInt32] = []
        for superblock in superblocks where !seen.contains(superblock.number) {
            guard state.withLock({ $0.statistics.readOnlyReason == nil }) else { return false }
            seen.append(superblock.number)
            do throws(FileSystemError) {
                try superblock.file.synchronize()
                state.withLock { $0.statistics.synchronizations += 1 }
            } catch {
                becomeReadOnly(error)
                return false
            }
        }
        return true
    }

    /// Writes void records over what failed writes left. One that fails again is tried with the next group.
    private func fillHoles() -> [Hole] {
        let holes = state.withLock { state in
            defer { state.holes = [] }
            return state.holes
        }
        var filled: [Hole] = []
        for hole in holes {
            let record = VoidRecord(
                superblock: hole.superblock, range: hole.range, sequence: 0,
                durableOffset: SuperblockHeader.recordsOffset, storedAt: options.time.now())
            do {
                try record.write()
                filled.append(hole)
            } catch {
                state.withLock { $0.holes.append(hole) }
            }
        }
        return filled
    }

    /// Ends the superblocks that writing has moved on from: a last record vouches for all before it, and space that
    /// was reserved ahead goes back.
    func closeFullSuperblocks() {
        let quiet = state.withLock { state in
            state.tails.filter { $0.key != state.activeNumber && $0.value.isQuiet }.map(\.key).sorted()
        }
        for number in quiet where closeTail(number) { state.withLock { $0.seal(number) } }
    }

    /// Closes everything that is open, at the end.
    func closeTails() {
        let numbers = state.withLock { $0.tails.keys.sorted() }
        for number in numbers { _ = closeTail(number) }
    }

    private func closeTail(_ number: UInt32) -> Bool {
        guard let end = writeMarker(number),
            let superblock = state.withLock({ $0.superblocks[number] })
        else { return false }
        // Only space is at stake: the next opening cuts the file just the same.
        try? superblock.file.truncate(to: end)
        return true
    }

    /// Runs on the commit thread when nothing has been written for a while; a step of its own where there is no thread.
    package func writeIdleMarker() {
        let active = state.withLock { $0.isClosed ? nil : $0.activeNumber }
        if let active { _ = writeMarker(active) }
    }

    /// Appends a record that vouches for everything before it, so that damage to the last group is never taken for a
    /// write that was not finished.
    /// - Returns: where the superblock ends now; nil when it could not be written or is still being written to.
    private func writeMarker(_ number: UInt32) -> Int? {
        let (superblock, range, end, sequence) = state.withLock {
            state -> (Superblock?, Range<Int>?, Int?, UInt64) in
            guard state.statistics.readOnlyReason == nil, let tail = state.tails[number], tail.isQuiet else {
                return (nil, nil, nil, 0)
            }
            guard tail.wantsMarker, tail.isAllocated(for: LogTail.closingBytes) else { return (nil, nil, tail.end, 0) }
            let range = state.tails[number]?.reserve(RecordHeader.byteCount)
            defer { state.nextSequence += 1 }
            return (state.superblocks[number], range, range?.upperBound, state.nextSequence)
        }
        guard let superblock, let range else { return end }
        let marker = VoidRecord(
            superblock: superblock, range: range, sequence: sequence, durableOffset: range.lowerBound,
            storedAt: options.time.now())
        do {
            try marker.write()
        } catch {
            abandon(Reservation(superblock: superblock, range: range, sequence: sequence, durableOffset: 0))
            return nil
        }
        guard synchronize([superblock]) else { return nil }
        state.withLock { $0.tails[number]?.onMarkerDurable(range) }
        return end
    }
}
