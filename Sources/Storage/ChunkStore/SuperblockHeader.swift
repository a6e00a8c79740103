import Base
import Digests

/// The beginning of a superblock file: what it is, whose it is, and the salt that its records carry.
///
/// Two copies stand at offsets 0 and 4096, so that one bad sector does not take the file; records begin at 8192.
/// `docs/formats/superblock.md` has the layout.
struct SuperblockHeader: Equatable {
    static let byteCount = 64
    static let version: UInt32 = 1
    /// Where the two copies stand.
    static let copyOffsets = [0, 4096]
    /// Where the first record begins.
    static let recordsOffset = 8192

    private static let magic = Array("VSTKSBLK".utf8)
    private static let crcOffset = 60

    let number: UInt32
    let store: StoreID
    let createdAt: Timestamp
    /// Random, and never told to anybody: a record carries it, so that no uploaded bytes can pass for a record.
    let salt: UInt64

    /// Both copies and the space between: what a new file begins with.
    func encodedFile() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.recordsOffset)
        let header = encoded()
        for offset in Self.copyOffsets { bytes.replaceSubrange(offset..<offset + Self.byteCount, with: header) }
        return bytes
    }

    private func encoded() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.byteCount)
        bytes.withUnsafeMutableBytes { output in
            output.copyBytes(from: Self.magic)
            output.storeLittleEndian(Self.version, at: 8)
            output.storeLittleEndian(number, at: 12)
            UnsafeMutableRawBufferPointer(rebasing: output[16..<32]).copyBytes(from: store.bytes)
            output.storeLittleEndian(UInt64(bitPattern: createdAt.nanoseconds), at: 32)
            output.storeLittleEndian(salt, at: 40)
            let crc = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: output[..<Self.crcOffset]))
            output.storeLittleEndian(crc, at: Self.crcOffset)
        }
        return bytes
    }

    /// What a copy that may be damaged turned out to be.
    enum Decoded: Equatable {
        case header(SuperblockHeader)
        case newerVersion(UInt32)
        case damaged
    }

    static func decode(_ bytes: ArraySlice<UInt8>) -> Decoded {
        guard bytes.count == byteCount, bytes.starts(with: magic) else { return .damaged }
        return bytes.withUnsafeBytes { input in
            let crc = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: input[..<crcOffset]))
            guard crc == input.littleEndian(UInt32.self, at: crcOffset) else { return .damaged }
            let version = input.littleEndian(UInt32.self, at: 8)
            guard version == Self.version else { return .newerVersion(version) }
            return .header(
                SuperblockHeader(
                    number: input.littleEndian(UInt32.self, at: 12),
                    store: StoreID(bytes: Array(input[16..<32])),
                    createdAt: Timestamp(nanoseconds: Int64(bitPattern: input.littleEndian(UInt64.self, at: 32))),
                    salt: input.littleEndian(UInt64.self, at: 40)))
        }
    }
}

/// The identity of a store, and with it of the acceptor that it is: 16 random bytes, made when the directory was first
/// used. A disk that was wiped gets another, so that it cannot pass for the acceptor that remembered.
package struct StoreID: Hashable, Sendable, CustomStringConvertible {
    let bytes: [UInt8]

    init(bytes: [UInt8]) {
        precondition(bytes.count == 16, "a store id has 16 bytes")
        self.bytes = bytes
    }

    /// 32 lower-case hex digits.
    package var description: String { bytes.withUnsafeBytes(Hex.string) }

    init?(_ text: some StringProtocol) {
        let digits = text.utf8.compactMap(Hex.value(of:))
        guard digits.count == 32, text.utf8.count == 32 else { return nil }
        bytes = stride(from: 0, to: 32, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}

extension UnsafeRawBufferPointer {
    func littleEndian<Number: FixedWidthInteger & BitwiseCopyable>(_ type: Number.Type, at offset: Int) -> Number {
        Number(littleEndian: loadUnaligned(fromByteOffset: offset, as: type))
    }
}

extension UnsafeMutableRawBufferPointer {
    func storeLittleEndian<Number: FixedWidthInteger & BitwiseCopyable>(_ value: Number, at offset: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: offset, as: Number.self)
    }
}
