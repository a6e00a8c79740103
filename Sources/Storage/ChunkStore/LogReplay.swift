import Base

/// What the records of a log add up to, whatever the order they come in: of two about one id the higher sequence
/// counts.
///
/// Invariant: an id's newest acceptor state is the one `acceptors` names, or else its chunk record's.
struct LogReplay: ~Copyable {
    private(set) var chunks: ChunkIndex
    /// Ids whose acceptor's state is not (or not any more) what their chunk record says.
    private(set) var acceptors: ChunkIndex
    /// What became out of date, and the tombstones; what the indexes name is counted at the end.
    var usages = SuperblockUsages()
    private var superblocks: [UInt32: Superblock] = [:]

    init() {
        chunks = ChunkIndex()
        acceptors = ChunkIndex()
    }

    /// Goes on from what a checkpoint says.
    init(_ checkpoint: consuming Checkpoint) {
        for covered in checkpoint.covered { usages[covered.number] = covered.usage }
        let indexes = checkpoint.indexes
        chunks = indexes.chunks
        acceptors = indexes.acceptors
    }

    /// Whether one of the superblocks holds a record that counts.
    func names(anyOf numbers: Set<UInt32>) -> Bool {
        var isFound = false
        chunks.forEach { if numbers.contains($0.superblock) { isFound = true } }
        acceptors.forEach { if numbers.contains($0.superblock) { isFound = true } }
        return isFound
    }

    mutating func add(_ superblock: Superblock) { superblocks[superblock.number] = superblock }

    mutating func apply(_ header: RecordHeader, _ key: IndexKey) {
        let entry = IndexEntry(key: key, header: header)
        let chunk = current(in: chunks, like: entry, header)
        if header.bearsAcceptorState { applyState(entry, header, chunk) }
        guard header.kind == .chunk || header.kind == .tombstone else { return }
        if header.kind == .tombstone { usages.onTombstone(entry, sequence: header.sequence) }
        guard let chunk else { return chunks.insert(entry) }
        // The very record that is known already, read again.
        if chunk.entry == entry { return }
        let isNewer = header.sequence >= chunk.header.sequence
        if isNewer { chunks.replace(chunk.entry, with: entry) }
        let loser = isNewer ? chunk.header : header
        if loser.kind == .chunk { usages.onDeadChunk(in: loser.place.superblock, sequence: loser.sequence) }
    }

    /// Both tables, without the tombstones that the replay needed.
    consuming func finish() -> Tables {
        var tombstones: [IndexEntry] = []
        chunks.forEach { if $0.isTombstone { tombstones.append($0) } }
        for tombstone in tombstones { chunks.remove(tombstone) }
        var usages = usages
        chunks.forEach { usages.onNamed($0) }
        acceptors.forEach { usages.onNamed($0) }
        return Tables(chunks: chunks, acceptors: acceptors, usages: usages)
    }

    struct Tables: ~Copyable {
        var chunks: ChunkIndex
        var acceptors: ChunkIndex
        var usages: SuperblockUsages
    }

    private mutating func applyState(_ entry: IndexEntry, _ header: RecordHeader, _ chunk: Current?) {
        let state = current(in: acceptors, like: entry, header)
        let chunkState = chunk.flatMap { $0.header.bearsAcceptorState ? $0.header.sequence : nil } ?? 0
        guard header.sequence >= max(state?.header.sequence ?? 0, chunkState) else { return }
        let becomesChunk = header.kind == .chunk && header.sequence >= chunk?.header.sequence ?? 0
        switch (state, becomesChunk) {
        case (let state?, true): acceptors.remove(state.entry)
        case (let state?, false): acceptors.replace(state.entry, with: entry)
        case (nil, true): break
        case (nil, false): acceptors.insert(entry)
        }
    }

    private struct Current {
        let entry: IndexEntry
        let header: RecordHeader
    }

    /// What the table has for the id that the new record is about.
    private func current(in table: borrowing ChunkIndex, like new: IndexEntry, _ header: RecordHeader) -> Current? {
        var ordinal = 0
        while let entry = table.entry(new.key, ordinal: ordinal) {
            if let found = headerIfSameID(entry, new, idLength: header.idLength) {
                return Current(entry: entry, header: found)
            }
            ordinal += 1
        }
        return nil
    }

    private func headerIfSameID(_ entry: IndexEntry, _ new: IndexEntry, idLength: Int) -> RecordHeader? {
        guard let superblock = superblocks[entry.superblock], let other = superblocks[new.superblock] else {
            return nil
        }
        let end = RecordHeader.byteCount + idLength
        return superblock.withHead(at: entry.offset, length: entry.headLength) { head -> RecordHeader? in
            guard case .header(let header) = RecordHeader.decode(head, at: superblock.place(entry.offset)),
                header.idLength == idLength
            else { return nil }
            let isSame = other.withHead(at: new.offset, length: end) { newHead in
                head[RecordHeader.byteCount..<end].elementsEqual(newHead[RecordHeader.byteCount..<end])
            }
            return isSame == true ? header : nil
        } ?? nil
    }
}
