import Base
import ChunkPaxos
import Digests

/// One file of the log, mapped for reading. The mapping goes when the last reader lets go of it.
final class Superblock: Sendable {
    let number: UInt32
    let salt: UInt64
    let file: any StoreFile
    let mapping: any FileMapping
    /// Always, but for a store that is broken on purpose.
    private let checksPayloads: Bool

    init(
        number: UInt32, salt: UInt64, file: any StoreFile, mapping: any FileMapping, checksPayloads: Bool
    ) {
        self.checksPayloads = checksPayloads
        self.number = number
        self.salt = salt
        self.file = file
        self.mapping = mapping
    }

    /// `000001.vsb`; more digits when six do not suffice.
    static func fileName(_ number: UInt32) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 6 - digits.count)) + digits + ".vsb"
    }

    /// The number in a superblock's file name; nil for other files.
    static func number(inFileName name: String) -> UInt32? {
        guard name.hasSuffix(".vsb"), let number = UInt32(name.dropLast(4)), number > 0 else { return nil }
        return fileName(number) == name ? number : nil
    }

    func place(_ offset: Int) -> RecordPlace { RecordPlace(superblock: number, salt: salt, offset: offset) }

    /// A record's head, read from the disk and checked.
    enum Head {
        case record(RecordHeader, metadata: [UInt8])
        /// A whole record, about another id.
        case otherID
        /// The disk does not give it, or its CRC is wrong.
        case unreadable
    }

    /// The head of the record that the index names, if it is about `id`. May wait for the disk.
    func head(_ entry: IndexEntry, of id: ChunkID, withMetadata: Bool) -> Head {
        withHead(at: entry.offset, length: entry.headLength) { bytes in
            guard case .header(let header) = RecordHeader.decode(bytes, at: place(entry.offset)) else {
                return .unreadable
            }
            let idBytes = UnsafeRawBufferPointer(
                rebasing: bytes[RecordHeader.byteCount..<RecordHeader.byteCount + header.idLength])
            guard id.withUTF8Bytes({ $0.elementsEqual(idBytes) }) else { return .otherID }
            return .record(header, metadata: withMetadata ? header.metadata(in: bytes) : [])
        } ?? .unreadable
    }

    /// Header, id and metadata copied out of the mapping; nil when the disk does not give them.
    func withHead<R>(at offset: Int, length: Int, _ body: (UnsafeRawBufferPointer) -> R) -> R? {
        withUnsafeTemporaryAllocation(byteCount: length, alignment: 16) { copy in
            let source = UnsafeRawBufferPointer(rebasing: mapping.bytes[offset..<offset + length])
            guard let base = copy.baseAddress, MappedMemory.copy(source, to: base) else { return nil }
            return body(UnsafeRawBufferPointer(copy))
        }
    }

    /// The valid record at `offset`, and the key of the id that it is about; nil when there is none within `size`.
    func record(at offset: Int, size: Int) throws(SuperblockScan.NewerVersion) -> (RecordHeader, IndexKey?)? {
        guard offset + RecordHeader.byteCount <= size else { return nil }
        let fixed = withHead(at: offset, length: RecordHeader.byteCount) { RecordHeader.headLength(of: $0) }
        guard let headLength = fixed ?? nil, offset + headLength <= size else { return nil }
        let decoded = withHead(at: offset, length: headLength) { head in
            (
                RecordHeader.decode(head, at: place(offset)),
                RecordHeader.idBytes(in: head).map { IndexKey(idBytes: $0) }
            )
        }
        switch decoded {
        case (.header(let header), let key)? where offset + header.length <= size: return (header, key)
        case (.newerVersion(let version), _)?: throw SuperblockScan.NewerVersion(version: version)
        default: return nil
        }
    }

    /// Smaller records come with one read of the disk anyway.
    private static let fetchBytesMin = 32 * 1024

    /// The whole record that the index names is about to be read: one read of the disk brings it, where touching it
    /// bit by bit would cause many.
    func fetch(_ entry: IndexEntry) {
        guard entry.payloadLength >= Self.fetchBytesMin else { return }
        let payloadStart = RecordHeader.aligned(entry.offset + entry.headLength)
        mapping.fetch(entry.offset..<payloadStart + Int(entry.payloadLength))
    }

    func payload(_ header: RecordHeader) -> UnsafeRawBufferPointer {
        let start = header.place.offset + header.payloadOffset
        return UnsafeRawBufferPointer(rebasing: mapping.bytes[start..<start + header.payloadLength])
    }

    /// Reads the payload and compares its CRC.
    func payloadIsIntact(_ header: RecordHeader) -> Bool {
        !checksPayloads || CRC32C.checksum(mapped: payload(header)) == header.payloadCRC
    }
}

extension RecordHeader {
    func metadata(in head: UnsafeRawBufferPointer) -> [UInt8] {
        Array(head[(Self.byteCount + idLength)..<headLength])
    }
}
