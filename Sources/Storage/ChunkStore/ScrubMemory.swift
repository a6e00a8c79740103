import Base

/// What a node knows across restarts of its scrubbing and of what was found damaged: `scrub.json` in its directory,
/// described in `docs/formats/scrub.md`. Losing it costs a pass, never a chunk: what is damaged is found again.
struct ScrubMemory: Codable, Equatable {
    static let version = 1
    /// Damaged chunks, and stretches, that are written down; more are only found again.
    static let entriesMax = 10_000
    static let fileName = "scrub.json"

    /// A pass under way.
    struct Pass: Codable, Equatable {
        let superblock: UInt32
        /// Of the first record that it has not judged.
        let offset: Int
        let startedAt: Timestamp
        let chunksDone: Int
        let damagedCount: Int
    }

    struct Chunk: Codable, Equatable {
        /// nil when the record's head is damaged.
        let id: ChunkID?
        /// The first 16 bytes of the id's SHA-256, in hex.
        let key: String
        let superblock: UInt32
        let offset: Int
    }

    struct Stretch: Codable, Equatable {
        let superblock: UInt32
        let offset: Int
        let byteCount: Int
    }

    let version: Int
    /// The store it is about; another's is of no use.
    let store: String
    var pass: Pass?
    var lastStartedAt: Timestamp?
    var lastFinishedAt: Timestamp?
    var damagedChunks: [Chunk] = []
    var damagedStretches: [Stretch] = []

    init(store: StoreID) {
        version = Self.version
        self.store = store.description
    }

    init(store: StoreID, plan: ScrubPlan, quarantine: Quarantine) {
        self.init(store: store)
        pass = plan.pass.flatMap { pass in
            pass.current.map {
                Pass(
                    superblock: $0.superblock, offset: pass.resumeOffset, startedAt: pass.startedAt,
                    chunksDone: pass.chunksDone, damagedCount: pass.damagedCount)
            }
        }
        lastStartedAt = plan.lastStartedAt
        lastFinishedAt = plan.lastFinishedAt
        damagedChunks = quarantine.chunks
            .sorted { ($0.value.superblock, $0.value.offset) < ($1.value.superblock, $1.value.offset) }
            .prefix(Self.entriesMax)
            .map { Chunk(id: $1.id, key: $0.hex, superblock: $1.superblock, offset: $1.offset) }
        damagedStretches = quarantine.stretches.prefix(Self.entriesMax)
            .map { Stretch(superblock: $0.superblock, offset: $0.range.lowerBound, byteCount: $0.range.count) }
    }

    /// nil when there is none that can be understood.
    static func load(from directory: String, store: StoreID, _ fileSystem: any FileSystem) -> ScrubMemory? {
        guard let file = try? fileSystem.open("\(directory)/\(fileName)", creating: false),
            let size = try? file.size(), size <= fileBytesMax,
            let memory = try? JSON.decode(ScrubMemory.self, from: (try? file.read(size, at: 0)) ?? []),
            memory.version == version, memory.store == store.description
        else { return nil }
        return memory
    }

    /// Replaces what was there as a whole.
    func save(to directory: String, _ fileSystem: any FileSystem) throws {
        let path = "\(directory)/\(Self.fileName)"
        let file = try fileSystem.open(path + ".new", creating: true)
        try file.truncate(to: 0)
        try (try JSON.encode(self)).withUnsafeBytes { try file.write($0, at: 0) }
        try file.synchronize()
        try fileSystem.rename(path + ".new", to: path)
    }

    private static let fileBytesMax = 16 * ByteCount.mebibyte
}

extension IndexKey {
    /// 32 lower-case hex digits.
    var hex: String { withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { Hex.string($0) } }

    init?(hex: String) {
        guard hex.utf8.count == 32, let high = UInt64(hex.prefix(16), radix: 16),
            let low = UInt64(hex.suffix(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }
}
