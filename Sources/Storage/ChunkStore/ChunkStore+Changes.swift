import Base
import ChunkPaxos
import Dispatch
import Synchronization

// How changes take their turn, and how a record without payload is appended.
extension ChunkStore {
    /// Runs `change` when no other change to the same id is under way: now, on this thread, or later on another.
    /// `change` must call ``release(_:)`` once, when it is settled.
    func claim(_ key: IndexKey, _ change: @escaping @Sendable () -> Void) throws(ChunkStoreError) {
        let (isFirst, error) = state.withLock { state -> (Bool, ChunkStoreError?) in
            if state.isClosed { return (false, .closed) }
            if let reason = state.statistics.readOnlyReason { return (false, .readOnly(reason)) }
            if let queue = state.claims[key] {
                guard queue.count < Self.queuedChangesMax else {
                    return (
                        false, ChunkStoreError(.busy, "too many changes to one chunk at once; try again in a moment")
                    )
                }
                state.claims[key]?.append(change)
                underWay.enter()
                return (false, nil)
            }
            state.claims[key] = []
            underWay.enter()
            return (true, nil)
        }
        if let error { throw error }
        if isFirst { change() }
    }

    /// The change is settled; the next one to the same id has its turn.
    func release(_ key: IndexKey) {
        let next = state.withLock { state -> (@Sendable () -> Void)? in
            guard var queue = state.claims[key], !queue.isEmpty else {
                state.claims[key] = nil
                return nil
            }
            let next = queue.removeFirst()
            state.claims[key] = queue
            return next
        }
        if let next, let steps = options.steps {
            steps.add(next)
        } else if let next {
            resumption.async(execute: next)
        }
        underWay.leave()
    }

    /// What the indexes say about an id whose claim is held: it stays so until the claim is released.
    struct Current {
        let key: IndexKey
        let chunk: Located?
        /// The chunk's, also when its record's head is damaged so that nothing else is known of it.
        let chunkEntry: IndexEntry?
        /// Set when the acceptor's state is not the chunk record's.
        let state: Located?

        /// Of the chunk's record; where its head is damaged it may be any, so the lowest.
        var chunkSequence: UInt64 { chunk?.header.sequence ?? 0 }

        var acceptor: AcceptorState { (state ?? chunk)?.acceptor ?? .none }

        var view: AcceptorView { AcceptorView(acceptor, chunk?.intactDescription) }
    }

    func current(_ id: ChunkID, _ key: IndexKey) throws(ChunkStoreError) -> Current {
        let state = try locate(id, key, in: .acceptors, withMetadata: true)
        return switch lookUp(id, key, in: .chunks, withMetadata: true) {
        case .found(let chunk): Current(key: key, chunk: chunk, chunkEntry: chunk.entry, state: state)
        case .damaged(let entry): Current(key: key, chunk: nil, chunkEntry: entry, state: state)
        case .absent: Current(key: key, chunk: nil, chunkEntry: nil, state: state)
        }
    }

    /// Claims the id, and calls `change` with what is known of it. Whatever `change` throws, and whatever prevents
    /// it, goes to `completion`; otherwise `change` sees to it that the function it gets is called.
    func change<Outcome>(
        _ id: ChunkID, _ completion: @escaping @Sendable (Result<Outcome, ChunkStoreError>) -> Void,
        _ change:
            @escaping @Sendable (
                Current, @escaping @Sendable (Result<Outcome, ChunkStoreError>) -> Void
            ) throws(ChunkStoreError) -> Void
    ) {
        let key = IndexKey(id)
        do {
            try claim(key) { [self] in
                let settle: @Sendable (Result<Outcome, ChunkStoreError>) -> Void = { [self] result in
                    release(key)
                    completion(result)
                }
                do throws(ChunkStoreError) {
                    // It may have waited while the disk failed: then what the index says may not be what a restart
                    // will find, and not even "it is so already" can be promised.
                    if let reason = state.withLock({ $0.statistics.readOnlyReason }) { throw .readOnly(reason) }
                    try change(try current(id, key), settle)
                } catch {
                    settle(.failure(error))
                }
            }
        } catch {
            completion(.failure(error))
        }
    }

    /// Appends a record without payload, and calls `settled` when it is durable and `publish` has made it count.
    func append(
        _ kind: RecordKind, _ id: ChunkID, _ key: IndexKey, acceptor: AcceptorState,
        publish: @escaping @Sendable (inout State, IndexEntry) -> Void,
        settled: @escaping @Sendable (ChunkStoreError?) -> Void
    ) throws(ChunkStoreError) {
        let metadata = acceptor.metadata
        let idLength = id.description.utf8.count
        let length = RecordHeader.length(idLength: idLength, metadataLength: metadata.count, payloadLength: 0)
        let reservation = try reserve(length, for: .upkeep)
        let header = RecordHeader(
            kind: kind, idLength: idLength, metadataLength: metadata.count,
            configurationLength: acceptor.configurationCount, payloadLength: 0,
            sequence: reservation.sequence, durableOffset: reservation.durableOffset, storedAt: options.time.now(),
            promised: acceptor.vote.promised, acceptedBallot: acceptor.vote.accepted?.ballot, payloadCRC: 0,
            checksum: RecordHeader.checksumOfNothing, place: reservation.place)
        let result = withUnsafeTemporaryAllocation(byteCount: length, alignment: 16) { bytes in
            header.encode(into: bytes, id: id, metadata: metadata)
            return Result<Void, ChunkStoreError> { () throws(ChunkStoreError) in
                try write(UnsafeRawBufferPointer(bytes), to: reservation)
            }
        }
        try result.get()
        let entry = IndexEntry(key: key, header: header)
        committer.join(
            Commit(
                superblock: reservation.superblock, range: reservation.range,
                durableOffset: reservation.durableOffset, publish: { publish(&$0, entry) }, settled: settled))
    }
}

extension ChunkStore.State {
    /// A chunk record counts, in place of an earlier one.
    mutating func publishChunk(_ entry: IndexEntry, over current: ChunkStore.Current, bearsState: Bool) {
        if let old = current.chunkEntry {
            chunks.replace(old, with: entry)
            usages.onUnnamed(old, sequence: current.chunkSequence)
            statistics.chunkBytes -= Int(old.payloadLength)
        } else {
            chunks.insert(entry)
        }
        usages.onNamed(entry)
        statistics.chunkBytes += Int(entry.payloadLength)
        quarantine.release(entry.key)
        guard bearsState, let old = current.state else { return }
        acceptors.remove(old.entry)
        usages.onUnnamed(old.entry, sequence: old.header.sequence)
    }

    /// The chunk is gone; its acceptor's state, if there is any, lives on in the tombstone.
    mutating func publishTombstone(_ entry: IndexEntry, over current: ChunkStore.Current, bearsState: Bool) {
        // The tombstone's own sequence is no higher, which is all that matters.
        usages.onTombstone(entry, sequence: nextSequence - 1)
        if let old = current.chunkEntry {
            chunks.remove(old)
            usages.onUnnamed(old, sequence: current.chunkSequence)
            statistics.chunkBytes -= Int(old.payloadLength)
        }
        quarantine.release(current.key)
        if bearsState { publishAcceptor(entry, over: current) }
    }

    mutating func publishAcceptor(_ entry: IndexEntry, over current: ChunkStore.Current) {
        if let old = current.state {
            acceptors.replace(old.entry, with: entry)
            usages.onUnnamed(old.entry, sequence: old.header.sequence)
        } else {
            acceptors.insert(entry)
        }
        usages.onNamed(entry)
    }

    /// Compaction made a copy of a record, and the copy is what counts from now on.
    mutating func publishMove(of old: IndexEntry, to new: IndexEntry, sequence: UInt64) {
        if new.isTombstone { usages.onTombstone(new, sequence: sequence) }
        guard names(old) else { return }
        if old.isChunk { chunks.replace(old, with: new) } else { acceptors.replace(old, with: new) }
        usages.onUnnamed(old, sequence: sequence)
        usages.onNamed(new)
    }

    /// Whether an index names that record.
    func names(_ entry: IndexEntry) -> Bool {
        entry.isChunk ? chunks.contains(entry) : acceptors.contains(entry)
    }
}
