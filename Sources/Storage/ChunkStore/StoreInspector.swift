import Base
import Digests

/// Reads a store's directory without opening the store: nothing is mended, and no file is changed.
package struct StoreInspector {
    package enum Use {
        /// Nobody else may have the directory open until the inspector is let go.
        case alone
        /// A node may have it open.
        case beside
    }

    /// Bytes read so far, and in all.
    package typealias OnProgress = (_ done: Int, _ total: Int) -> Void

    private let directory: String
    private let fileSystem: any FileSystem
    private let files: SuperblockFiles
    private let numbers: [UInt32]
    private let store: StoreID
    private let isInUse: Bool
    private let lock: (any AnyObject & Sendable)?

    /// - Throws: ``ChunkStoreError``: `inUse` when a node has the directory open and `use` is `alone`; `unreadable` when
    ///   there is no store, or nothing that tells which.
    package init(
        directory: String, use: Use, fileSystem: any FileSystem = LinuxFileSystem(isReadOnly: true)
    ) throws(ChunkStoreError) {
        let options = ChunkStore.Options()
        self.directory = directory
        self.fileSystem = fileSystem
        files = SuperblockFiles(directory: directory, options: options, fileSystem: fileSystem)
        let names = (try? fileSystem.names(in: superblockDirectory(of: directory))) ?? []
        numbers = names.compactMap { Superblock.number(inFileName: $0) }.sorted()
        store = try Self.identity(StoreOpening(directory: directory, options: options, fileSystem: fileSystem), numbers)
        (lock, isInUse) = try Self.lock(directory, use, fileSystem)
    }

    /// Heads only: what there is, and what of it counts.
    package func inspect() throws(ChunkStoreError) -> StoreReport { try survey(.heads) { _, _ in } }

    /// Every record with its payload, against CRC-32C and SHA-256.
    package func check(_ onProgress: OnProgress) throws(ChunkStoreError) -> StoreReport {
        try survey(.payloads, onProgress)
    }

    /// Every record about the chunk, whether it counts or not, in the order in which they were written.
    package func records(of id: ChunkID) throws(ChunkStoreError) -> [RecordReport] {
        let key = IndexKey(id)
        var survey = LogSurvey()
        var found: [(RecordHeader, Superblock)] = []
        for number in numbers.reversed() where !survey.removed.contains(number) {
            guard let superblock = try? files.open(number).superblock else { continue }
            survey.read(superblock, .heads) { header, headerKey in
                if headerKey == key { found.append((header, superblock)) }
            } onProgress: { _ in
            }
        }
        let tables = survey.finish()
        return found.sorted { $0.0.sequence < $1.0.sequence }.map { header, superblock in
            let (number, offset) = (header.place.superblock, header.place.offset)
            let isChunk = tables.chunks.entry(key, superblock: number, offset: offset) != nil
            let hasState = tables.acceptors.entry(key) != nil
            let isState = tables.acceptors.entry(key, superblock: number, offset: offset) != nil
            return RecordReport(
                superblock: number, offset: offset, kind: header.kind.word, sequence: header.sequence,
                storedAt: header.storedAt, sizeBytes: header.payloadLength, checksum: header.checksum,
                promisedBallot: header.promised, acceptedBallot: header.acceptedBallot, isCurrentChunk: isChunk,
                isCurrentState: isState || (isChunk && !hasState && header.bearsAcceptorState),
                isWhole: !superblock.isStillDamaged(header.range))
        }
    }

    private func survey(_ depth: LogVerifier.Depth, _ onProgress: OnProgress) throws(ChunkStoreError) -> StoreReport {
        var report = StoreReport(store: store.description, isInUse: isInUse, isVerified: depth == .payloads)
        var survey = LogSurvey()
        let total = numbers.reduce(0) { $0 + size(of: $1) }
        var done = 0
        // What says that a superblock was removed stands in a later one.
        for number in numbers.reversed() where !survey.removed.contains(number) {
            do {
                let (superblock, owner) = try files.open(number)
                guard owner == store else {
                    throw ChunkStoreError(.unreadable, "it belongs to the store \(owner)")
                }
                survey.read(superblock, depth) { _, _ in
                } onProgress: {
                    onProgress(done + $0, total)
                }
            } catch {
                survey.noteUnreadable(number, size(of: number), "\(error)")
            }
            done += size(of: number)
            onProgress(done, total)
        }
        for number in 1...(numbers.last ?? 1) where !numbers.contains(number) { survey.noteMissing(number) }
        survey.finish(&report, ScrubMemory.load(from: directory, store: store, fileSystem))
        return report
    }

    private func size(of number: UInt32) -> Int {
        let path = "\(superblockDirectory(of: directory))/\(Superblock.fileName(number))"
        return (try? fileSystem.open(path, creating: false).size()) ?? 0
    }

    private static func identity(_ opening: StoreOpening, _ numbers: [UInt32]) throws(ChunkStoreError) -> StoreID {
        let found: StoreID?
        do {
            found = try opening.readIdentity()
        } catch let error as ChunkStoreError {
            throw error
        } catch {
            throw ChunkStoreError(
                .io, "the chunk store in '\(opening.directory)' cannot be read: \(error)", cause: error)
        }
        guard let found else {
            throw ChunkStoreError(
                .unreadable,
                numbers.isEmpty
                    ? "there is no chunk store in '\(opening.directory)': give a storage node's DATA_DIR, such as "
                        + "./data/storage1"
                    : "the superblocks in '\(opening.directory)' have lost their store.id; restore it")
        }
        guard !numbers.isEmpty else {
            throw ChunkStoreError(
                .unreadable,
                "there is a store.id in '\(opening.directory)' but not one superblock: its chunks are lost or the disk is "
                    + "not mounted")
        }
        return found
    }

    private static func lock(_ directory: String, _ use: Use, _ fileSystem: any FileSystem) throws(ChunkStoreError)
        -> (lock: (any AnyObject & Sendable)?, isInUse: Bool)
    {
        do throws(FileSystemError) {
            let lock = try fileSystem.lock("\(directory)/lock")
            // Beside a node the lock is only looked at: one that starts now must get it.
            if use == .beside { return (nil, lock == nil) }
            if let lock { return (lock, false) }
        } catch {
            if error.isNotFound { return (nil, false) }
            throw ChunkStoreError(.io, "the chunk store in '\(directory)' cannot be locked: \(error)", cause: error)
        }
        throw ChunkStoreError(
            .inUse, "a storage node is running on '\(directory)': stop it first, or ask it by GET /scrub and /health")
    }
}

extension RecordKind {
    fileprivate var word: String {
        switch self {
        case .chunk: "chunk"
        case .tombstone: "tombstone"
        case .acceptorState: "acceptor_state"
        case .void: "void"
        case .removal: "removal"
        }
    }
}
