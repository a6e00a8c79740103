import Base
import ChunkPaxos
import Digests
import SimulatedDisk

@testable import ChunkStore

/// The store's files, made of arbitrary bytes. Checksums are set right first: nobody guesses them, and what stands
/// behind them must be safe all the same.
enum FuzzedStore {
    private static let salt: UInt64 = 0x5a17
    private static let identity = StoreID(bytes: (0..<16).map { $0 })
    private static let node = NodeID("node")
    /// The store's acceptor is the only one of every chunk.
    private static let alone: Configuration = {
        guard let node, let membership = try? Membership([Membership.Member(node)]) else { fatalError("not a node") }
        return Configuration(initial: membership)
    }()
    private static let place = RecordPlace(superblock: 1, salt: salt, offset: SuperblockHeader.recordsOffset)

    /// A head that decodes can be encoded again, and says the same then.
    static func decodeRecord(_ bytes: [UInt8]) {
        var bytes = bytes
        guard bytes.count >= RecordHeader.byteCount else { return }
        mend(&bytes, at: 0, offsetInFile: place.offset)
        bytes.withUnsafeBytes { input in
            guard let headLength = RecordHeader.headLength(of: input), headLength <= input.count else { return }
            let head = UnsafeRawBufferPointer(rebasing: input[..<headLength])
            guard case .header(let header) = RecordHeader.decode(head, at: place) else { return }
            precondition(header.headLength == headLength && header.length >= headLength)
            precondition(header.payloadOffset % RecordHeader.alignment == 0)
            let metadata = header.metadata(in: head)
            precondition(metadata.count == header.metadataLength)
            if let configuration = header.acceptorState(metadata: metadata).configuration {
                let bytes = ConfigurationBytes.encode(configuration)
                precondition(ConfigurationBytes.decode(bytes[...]) == configuration, "a configuration stays the same")
            }
            var again = Array(head)
            again.withUnsafeMutableBytes { header.encode(into: $0) }
            again.withUnsafeBytes { decoded in
                guard case .header(header) = RecordHeader.decode(decoded, at: place) else {
                    preconditionFailure("a record says something else when it is encoded again")
                }
            }
        }
    }

    static func decodeFileHeader(_ bytes: [UInt8]) {
        var bytes = Array(bytes.prefix(SuperblockHeader.byteCount))
        bytes += repeatElement(0, count: SuperblockHeader.byteCount - bytes.count)
        _ = SuperblockHeader.decode(bytes[...])
        bytes.replaceSubrange(0..<8, with: Array("VSTKSBLK".utf8))
        let crc = bytes.withUnsafeBytes { CRC32C.checksum(UnsafeRawBufferPointer(rebasing: $0[..<60])) }
        bytes.withUnsafeMutableBytes { $0.storeLittleEndian(crc, at: 60) }
        guard case .header(let header) = SuperblockHeader.decode(bytes[...]) else { return }
        guard case .header(header) = SuperblockHeader.decode(header.encodedFile()[..<SuperblockHeader.byteCount]) else {
            preconditionFailure("a file header says something else when it is encoded again")
        }
    }

    /// A store opens on the files or says why not; if it opens, everything else works, and works again.
    static func open(log: [UInt8], checkpoint: [UInt8]?) {
        let disk = Self.disk(log: mended(Array(log.prefix(48 * ByteCount.kibibyte))))
        if let checkpoint { disk.setContents("/store/checkpoint", mendedCheckpoint(checkpoint)) }
        guard let store = openStore(disk) else { return }
        let count = use(store)
        store.close()
        guard let again = openStore(disk) else { preconditionFailure("a store that was closed does not open again") }
        precondition(again.chunkCount == count, "chunks come or go when the store is opened again")
        again.close()
    }

    /// A few records, and the checkpoint that speaks of them.
    static let small: (log: [UInt8], checkpoint: [UInt8]) = {
        let disk = Self.disk(log: [])
        guard let store = openStore(disk) else { fatalError("an empty superblock can be opened") }
        for number in 0..<4 {
            let value = Acceptor.Accepted(ballot: Ballot(round: 0, proposer: 1), value: [1, 2, 3])
            let acceptance = number == 0 ? Acceptance(alone, value) : nil
            put(store, "chunk-\(number)", [UInt8](repeating: UInt8(number), count: 100), acceptance)
        }
        if let id = ChunkID("chunk-1") {
            store.ask(id, ChunkAcceptor.Request(alone, .prepare(Ballot(round: 1, proposer: 1)))) { _ in }
        }
        if let id = ChunkID("chunk-2") { store.delete(id) { _ in } }
        store.close()
        let superblock = disk.contents("/store/superblocks/000001.vsb")
        return (Array(superblock.dropFirst(SuperblockHeader.recordsOffset)), disk.contents("/store/checkpoint"))
    }()

    private static func disk(log: [UInt8]) -> FaultyFileSystem {
        let disk = FaultyFileSystem(fileBytesMax: 128 * ByteCount.kibibyte)
        let header = SuperblockHeader(
            number: 1, store: identity, createdAt: Timestamp(nanoseconds: 0), salt: salt)
        disk.setContents("/store/store.id", Array("\(identity)\n".utf8))
        disk.setContents("/store/superblocks/000001.vsb", header.encodedFile() + log)
        return disk
    }

    private static func openStore(_ disk: FaultyFileSystem) -> ChunkStore? {
        var options = ChunkStore.Options()
        options.superblockBytesMax = 64 * ByteCount.kibibyte
        options.chunkBytesMax = 4096
        options.preallocationBytesMax = 4096
        options.compactionBytesMin = 1024
        options.maintainsItself = false
        options.steps = StepQueue()
        options.node = node
        return try? ChunkStore(directory: "/store", options: options, fileSystem: disk)
    }

    /// Reads everything, changes something, compacts. Returns how many chunks there are then.
    private static func use(_ store: ChunkStore) -> Int {
        var cursor: ListingCursor?
        repeat {
            guard let page = try? store.acceptors(after: cursor, limit: 100) else { break }
            for (id, _) in page.entries {
                _ = try? store.read(id)
                store.ask(id, ChunkAcceptor.Request(alone, .prepare(Ballot(round: 7, proposer: 7)))) { _ in }
            }
            if let (id, _) = page.entries.first { store.delete(id) { _ in } }
            cursor = page.next
        } while cursor != nil
        put(store, "newcomer", [1, 2, 3])
        _ = try? store.compact()
        try? store.checkpoint()
        return store.chunkCount
    }

    private static func put(
        _ store: ChunkStore, _ name: String, _ bytes: [UInt8], _ acceptance: Acceptance? = nil
    ) {
        guard let id = ChunkID(name), let writer = try? store.write(id, acceptance: acceptance) else { return }
        bytes.withUnsafeBytes { try? writer.append($0) }
        writer.finish { _ in }
        store.options.steps?.runAll()
    }

    private static func mended(_ log: [UInt8]) -> [UInt8] {
        var log = log
        for offset in stride(from: 0, to: log.count - RecordHeader.byteCount, by: RecordHeader.alignment) {
            mend(&log, at: offset, offsetInFile: SuperblockHeader.recordsOffset + offset)
        }
        return log
    }

    /// Gives a record's head that begins there the place where it stands, and the right checksum.
    private static func mend(_ bytes: inout [UInt8], at start: Int, offsetInFile: Int) {
        bytes.withUnsafeMutableBytes { bytes in
            let record = UnsafeMutableRawBufferPointer(rebasing: bytes[start...])
            guard let length = RecordHeader.headLength(of: UnsafeRawBufferPointer(record)), length <= record.count
            else { return }
            record.storeLittleEndian(place.superblock, at: 20)
            record.storeLittleEndian(salt, at: 112)
            record.storeLittleEndian(UInt64(offsetInFile), at: 120)
            let covered = UnsafeRawBufferPointer(rebasing: record[8..<length])
            record.storeLittleEndian(CRC32C.checksum(covered), at: 4)
        }
    }

    private static func mendedCheckpoint(_ bytes: [UInt8]) -> [UInt8] {
        let trailerBytes = CheckpointFormat.Trailer.byteCount
        guard bytes.count >= trailerBytes else { return bytes }
        var bytes = bytes
        bytes.withUnsafeMutableBytes { bytes in
            let body = UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count - trailerBytes)])
            let trailer = UnsafeMutableRawBufferPointer(rebasing: bytes[(bytes.count - trailerBytes)...])
            trailer.copyBytes(from: CheckpointFormat.magic)
            UnsafeMutableRawBufferPointer(rebasing: trailer[16..<32]).copyBytes(from: identity.bytes)
            trailer.storeLittleEndian(CRC32C.checksum(body), at: 64)
            let covered = UnsafeRawBufferPointer(rebasing: trailer[..<68])
            trailer.storeLittleEndian(CRC32C.checksum(covered), at: 68)
        }
        return bytes
    }
}
