import Base
import Digests
import Synchronization

/// Moves what is still needed out of one superblock that nothing is written to any more.
///
/// Invariants:
/// - A record moves while the claim on its id is held, so a change to the id comes wholly before or wholly after.
/// - An index names the copy only when the copy is durable; until then it names the original.
/// - What is copied was compared with its SHA-256; a record that is not as it was written stays where it is.
struct SuperblockCompaction {
    /// Copies that wait for the disk together, and their bytes.
    private static let flightMax = 512
    private static let flightBytesMax = 16 * ByteCount.mebibyte

    private let store: ChunkStore
    private let superblock: Superblock
    private let end: Int
    /// A tombstone below this sequence hides nothing in any other superblock.
    private let pinnedSequenceMin: UInt64
    private let pace: CompactionPace
    private let flight: MoveFlight
    private var flightBytes = 0
    private(set) var bytesMoved = 0
    /// Superblocks that this one says are gone.
    private(set) var removed = RangeSet<UInt32>()

    init(
        _ store: ChunkStore, _ superblock: Superblock, end: Int, pinnedSequenceMin: UInt64, pace: CompactionPace
    ) {
        self.store = store
        self.superblock = superblock
        self.end = end
        self.pinnedSequenceMin = pinnedSequenceMin
        self.pace = pace
        flight = MoveFlight(max: Self.flightMax, steps: store.options.steps)
    }

    /// Returns when every record that is needed has a durable copy that counts.
    /// - Throws: `corrupt` when a record is not as it was written; anything that prevents writing.
    mutating func run() throws(ChunkStoreError) {
        defer { flight.wait() }
        var offset = SuperblockHeader.recordsOffset
        while offset < end {
            guard let (header, key) = (try? superblock.record(at: offset, size: end)) ?? nil else {
                store.noteLost(offset..<offset + RecordHeader.alignment, in: superblock)
                throw ChunkStoreError(
                    .corrupt, "a record of superblock \(superblock.number) at offset \(offset) is damaged")
            }
            if header.kind == .removal {
                removed.formUnion(superblock.removedNumbers(header))
            } else if let key {
                try moveIfNeeded(header, IndexEntry(key: key, header: header))
            }
            offset += header.length
        }
        try flight.finish()
    }

    private mutating func moveIfNeeded(_ header: RecordHeader, _ entry: IndexEntry) throws(ChunkStoreError) {
        guard isNeeded(header, entry) else { return }
        try flight.begin()
        do {
            try store.awaitClaim(entry.key)
        } catch {
            flight.end(nil)
            throw error
        }
        do {
            // Whoever had the claim before may have deleted it.
            guard isNeeded(header, entry) else { return letGo(entry) }
            try move(header, entry)
        } catch {
            letGo(entry)
            throw error
        }
        bytesMoved += header.length
        flightBytes += header.length
        if flightBytes >= Self.flightBytesMax {
            flight.wait()
            flightBytes = 0
        }
        pace.rest(after: header.length)
    }

    private func isNeeded(_ header: RecordHeader, _ entry: IndexEntry) -> Bool {
        let keepsTombstones = !store.options.has(.dropsTombstones)
        if header.kind == .tombstone, header.sequence > pinnedSequenceMin, keepsTombstones { return true }
        return store.state.withLock { $0.names(entry) }
    }

    private func letGo(_ entry: IndexEntry) {
        store.release(entry.key)
        flight.end(nil)
    }

    /// Writes the copy; the flight goes on until it is durable.
    private func move(_ header: RecordHeader, _ entry: IndexEntry) throws(ChunkStoreError) {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: header.length, alignment: 64)
        defer { bytes.deallocate() }
        // What the disk lost is not brought back by a copy that memory still has: nobody knows for how long it is right.
        let isQuarantined = header.kind == .chunk && store.state.withLock { $0.quarantine.contains(entry.key) }
        guard !isQuarantined, superblock.copyRecord(header, to: bytes) else {
            store.quarantine(
                entry.key, superblock.chunkID(header), superblock: superblock.number, offset: header.place.offset)
            throw ChunkStoreError(
                .corrupt,
                "a chunk in superblock \(superblock.number) at offset \(header.place.offset) is damaged; it stays there"
            )
        }
        let reservation = try store.reserve(header.length, for: .upkeep)
        let copy = RecordHeader(copying: header, to: reservation.place, durableOffset: reservation.durableOffset)
        copy.encode(into: bytes)
        try store.write(UnsafeRawBufferPointer(bytes), to: reservation)
        let moved = IndexEntry(key: entry.key, header: copy)
        store.committer.join(
            Commit(
                superblock: reservation.superblock, range: reservation.range,
                durableOffset: reservation.durableOffset,
                publish: { $0.publishMove(of: entry, to: moved, sequence: header.sequence) },
                settled: { [store, flight] error in
                    store.release(entry.key)
                    flight.end(error)
                }))
    }
}

/// The copies that are under way, no more than so many, and what became of them.
private final class MoveFlight: Sendable {
    private let max: Int
    private let moves: Awaited
    private let failure = Locked<ChunkStoreError?>(nil)

    init(max: Int, steps: StepQueue?) {
        self.max = max
        moves = Awaited(steps: steps)
    }

    /// Waits for a place.
    /// - Throws: what made an earlier one fail.
    func begin() throws(ChunkStoreError) {
        moves.wait(untilAtMost: max - 1)
        moves.begin()
        guard let error = failure.withLock({ $0 }) else { return }
        end(nil)
        throw error
    }

    func end(_ error: ChunkStoreError?) {
        if let error { failure.withLock { $0 = error } }
        moves.end()
    }

    func wait() { moves.wait() }

    func finish() throws(ChunkStoreError) {
        wait()
        if let error = failure.withLock({ $0 }) { throw error }
    }
}

extension ChunkStore {
    /// Blocks until no other change to the id is under way, and none begins before ``release(_:)``.
    fileprivate func awaitClaim(_ key: IndexKey) throws(ChunkStoreError) {
        let turn = Awaited(steps: options.steps)
        turn.begin()
        try claim(key) { turn.end() }
        turn.wait()
    }
}

extension Superblock {
    fileprivate func chunkID(_ header: RecordHeader) -> ChunkID? {
        withHead(at: header.place.offset, length: header.headLength) { head in
            RecordHeader.idBytes(in: head).flatMap { ChunkID(String(decoding: $0, as: UTF8.self)) }
        } ?? nil
    }

    /// Copies the record, and tells whether the copy has the checksums that the record names.
    fileprivate func copyRecord(_ header: RecordHeader, to output: UnsafeMutableRawBufferPointer) -> Bool {
        let start = header.place.offset
        let source = UnsafeRawBufferPointer(rebasing: mapping.bytes[start..<start + header.length])
        guard let base = output.baseAddress, MappedMemory.copy(source, to: base) else { return false }
        let head = UnsafeRawBufferPointer(rebasing: output[..<header.headLength])
        guard case .header(header) = RecordHeader.decode(head, at: header.place) else { return false }
        let payload = UnsafeRawBufferPointer(
            rebasing: output[header.payloadOffset..<header.payloadOffset + header.payloadLength])
        return header.payloadLength == 0
            || CRC32C.checksum(payload) == header.payloadCRC && SHA256.digest(of: payload) == header.checksum
    }
}

extension RecordHeader {
    /// The same record in another place. Its sequence stays: of it and the original, either may count.
    fileprivate init(copying original: RecordHeader, to place: RecordPlace, durableOffset: Int) {
        self.init(
            kind: original.kind, idLength: original.idLength, metadataLength: original.metadataLength,
            configurationLength: original.configurationLength,
            payloadLength: original.payloadLength, sequence: original.sequence, durableOffset: durableOffset,
            storedAt: original.storedAt, promised: original.promised, acceptedBallot: original.acceptedBallot,
            payloadCRC: original.payloadCRC, checksum: original.checksum, place: place)
    }
}
