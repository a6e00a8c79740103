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
        let digits = text.utf8.compactMap(Hex.value(of:))
        guard digits.count == 32, text.utf8.count == 32 else { return nil }
        func word(_ digits: ArraySlice<UInt8>) -> UInt64 { digits.reduce(0) { $0 << 4 | UInt64($1) } }
        self.init(high: word(digits[..<16]), low: word(digits[16...]))
    }

    /// 32 lower-case hex digits.
    package var description: String {
        func digits(_ word: UInt64) -> String {
            let text = String(word, radix: 16)
            return String(repeating: "0", count: 16 - text.utf8.count) + text
        }
        return digits(high) + digits(low)
    }
}
