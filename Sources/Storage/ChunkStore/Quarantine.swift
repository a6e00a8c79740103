import Base

/// Which records were found damaged: their chunks are never served again. A chunk leaves when it is stored again or
/// deleted.
///
/// Invariants:
/// - Every chunk in it is in the index, and the damaged record is the one that the index names.
/// - ``version`` grows with every change.
struct Quarantine {
    /// A damaged chunk. Its id is not known when the record's head is what the disk lost.
    struct Chunk: Equatable {
        let id: ChunkID?
        let superblock: UInt32
        let offset: Int
    }

    /// Where in the log no record can be read. What stood there is known to nobody: a promise, perhaps, or a deletion.
    struct Stretch: Equatable {
        let superblock: UInt32
        let range: Range<Int>
    }

    /// Chunks that are named; more are only counted.
    static let namesMax = 1000

    private(set) var chunks: [IndexKey: Chunk] = [:]
    /// In the order in which they were found.
    private(set) var names: [ChunkID] = []
    private(set) var stretches: [Stretch] = []
    private(set) var version = 0

    func contains(_ key: IndexKey) -> Bool { !chunks.isEmpty && chunks[key] != nil }

    /// - Returns: false when it was there already.
    mutating func add(_ key: IndexKey, _ chunk: Chunk) -> Bool {
        guard chunks[key] == nil else { return false }
        chunks[key] = chunk
        if let id = chunk.id, names.count < Self.namesMax { names.append(id) }
        version += 1
        return true
    }

    /// The chunk is stored anew, or deleted.
    mutating func release(_ key: IndexKey) {
        guard !chunks.isEmpty, let chunk = chunks.removeValue(forKey: key) else { return }
        version += 1
        guard let id = chunk.id, let index = names.firstIndex(of: id) else { return }
        names.remove(at: index)
        if names.count < Self.namesMax, chunks.count > names.count { rename() }
    }

    /// - Returns: false when the stretch, or a part of it, was known.
    mutating func add(_ stretch: Stretch) -> Bool {
        let isKnown = stretches.contains {
            $0.superblock == stretch.superblock && $0.range.overlaps(stretch.range)
        }
        guard !isKnown else { return false }
        stretches.append(stretch)
        version += 1
        return true
    }

    /// There is room for a name again, and chunks that have none.
    private mutating func rename() {
        let all = chunks.values.filter { $0.id != nil }
            .sorted { ($0.superblock, $0.offset) < ($1.superblock, $1.offset) }
        names = all.prefix(Self.namesMax).compactMap(\.id)
    }
}
