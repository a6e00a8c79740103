import Base

/// The identity of an acceptor: that of one disk's memory, made at random when the disk was first used.
///
/// A node whose disk was wiped is another acceptor under the same node id: it does not remember what the one before had
/// promised, so it must not pass for it.
package struct AcceptorID: Hashable, Sendable, Comparable {
    private let high: UInt64
    private let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package static func < (a: AcceptorID, b: AcceptorID) -> Bool { (a.high, a.low) < (b.high, b.low) }
}

extension AcceptorID: TextCodable {
    package static var textForm: String { "an acceptor's identity (32 hex digits)" }

    package init?(_ text: String) {
        var text = text
        guard let id = text.withUTF8({ AcceptorID(utf8: $0) }) else { return nil }
        self = id
    }

    package init?(utf8 text: UnsafeBufferPointer<UInt8>) {
        guard text.count == Self.byteCount * 2, let high = Hex.word(UnsafeBufferPointer(rebasing: text[..<16])),
            let low = Hex.word(UnsafeBufferPointer(rebasing: text[16...]))
        else { return nil }
        self.init(high: high, low: low)
    }

    /// 32 lower-case hex digits.
    package var description: String { withUnsafeBytes(Hex.string) }
}

extension AcceptorID {
    package static let byteCount = 16

    /// - Parameter bytes: exactly 16 bytes, as they stand in a store's own files.
    package init?(bytes: UnsafeRawBufferPointer) {
        guard bytes.count == Self.byteCount else { return nil }
        self.init(
            high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
            low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }

    package func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try Swift.withUnsafeBytes(of: (high.bigEndian, low.bigEndian), body)
    }
}
