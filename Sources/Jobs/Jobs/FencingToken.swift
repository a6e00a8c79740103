import Base

/// Tells the attempts at a unit apart. Every lease of a unit has its own, higher than all before it; what comes with
/// any but a live lease's token is refused.
package struct FencingToken: Hashable, Sendable, Comparable {
    package static let none = FencingToken(0)

    package let number: Int

    package init(_ number: Int) { self.number = number }

    package var next: FencingToken { FencingToken(number + 1) }

    /// The number in base 36: short enough to be part of a stream's name.
    package var text: String { String(number, radix: 36) }

    package static func < (a: FencingToken, b: FencingToken) -> Bool { a.number < b.number }
}

/// Who encodes: the name that a follower says of itself; 1 to 64 of `a–z A–Z 0–9 . _ : -`.
package struct FollowerID: Hashable, Sendable, Comparable, TextCodable {
    package static let textForm = "a follower's name: 1 to 64 of a-z, A-Z, 0-9, '.', '_', ':' and '-'"

    package let description: String

    package init?(_ text: String) {
        guard (1...64).contains(text.utf8.count), text.utf8.allSatisfy(Self.isAllowed) else { return nil }
        description = text
    }

    package static func < (a: FollowerID, b: FollowerID) -> Bool { a.description < b.description }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"),
            UInt8(ascii: "-"):
            true
        default: false
        }
    }
}

/// The name of a rendition of the ladder, such as `480p` or `audio`; 1 to 6 of `a–z 0–9`.
package struct RungLabel: Hashable, Sendable, Comparable, TextCodable {
    package static let textForm = "a quality such as 480p"

    package static let audio = RungLabel(unchecked: "audio")

    package let description: String

    package init?(_ text: String) {
        let isPlain = text.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) }
        guard (1...6).contains(text.utf8.count), isPlain else { return nil }
        description = text
    }

    private init(unchecked text: String) { description = text }

    package static func < (a: RungLabel, b: RungLabel) -> Bool { a.description < b.description }
}
