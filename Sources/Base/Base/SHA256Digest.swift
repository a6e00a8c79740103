/// A SHA-256 digest: 32 bytes. Computing one is the `Digests` module's work.
package struct SHA256Digest: Hashable, Sendable {
    package static let byteCount = 32

    /// The digest in four big-endian words, so that it needs no heap.
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// - Parameter bytes: exactly 32 bytes.
    package init?(bytes: UnsafeRawBufferPointer) {
        guard bytes.count == Self.byteCount else { return nil }
        func word(_ index: Int) -> UInt64 {
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
        }
        words = (word(0), word(1), word(2), word(3))
    }

    /// 64 hex digits, in either case, with or without the prefix `sha256:` and the quotes of an `ETag`.
    package init?(_ text: some StringProtocol) {
        var text = String(text)
        guard let digest = text.withUTF8({ SHA256Digest(utf8: $0) }) else { return nil }
        self = digest
    }

    package init?(utf8 text: UnsafeBufferPointer<UInt8>) {
        var digits = text[...]
        if digits.count >= 2, digits.first == Self.quote, digits.last == Self.quote {
            digits = digits.dropFirst().dropLast()
        }
        if digits.starts(with: Self.tag) { digits = digits.dropFirst(Self.tag.count) }
        guard digits.count == Self.byteCount * 2 else { return nil }
        func word(_ index: Int) -> UInt64? {
            let start = digits.startIndex + index * 16
            return Hex.word(UnsafeBufferPointer(rebasing: digits[start..<start + 16]))
        }
        guard let a = word(0), let b = word(1), let c = word(2), let d = word(3) else { return nil }
        words = (a, b, c, d)
    }

    private static let quote = UInt8(ascii: "\"")
    private static let tag = Array("sha256:".utf8)

    package func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        let bigEndian = (words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian)
        return try Swift.withUnsafeBytes(of: bigEndian, body)
    }

    /// 64 lower-case hex digits.
    package var hex: String { withUnsafeBytes(Hex.string) }

    /// The same in double quotes, made at once: an `ETag` header is made for every chunk that is read.
    package var quotedHex: String {
        withUnsafeBytes { bytes in
            String(unsafeUninitializedCapacity: Self.byteCount * 2 + 2) { output in
                output[0] = UInt8(ascii: "\"")
                Hex.write(bytes, to: UnsafeMutableBufferPointer(rebasing: output[1...]))
                output[Self.byteCount * 2 + 1] = UInt8(ascii: "\"")
                return Self.byteCount * 2 + 2
            }
        }
    }

    /// `sha256:` and 64 hex digits: how JSON carries it.
    package var tagged: String {
        withUnsafeBytes { bytes in
            let start = Self.tag.count
            return String(unsafeUninitializedCapacity: start + Self.byteCount * 2) { output in
                _ = output.initialize(from: Self.tag)
                Hex.write(bytes, to: UnsafeMutableBufferPointer(rebasing: output[start...]))
                return start + Self.byteCount * 2
            }
        }
    }

    /// The first 16 bytes as two words, for hash tables.
    package var prefix: (UInt64, UInt64) { (words.0, words.1) }

    package static func == (a: SHA256Digest, b: SHA256Digest) -> Bool { a.words == b.words }

    package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

extension SHA256Digest: TextCodable {
    package static var textForm: String { "a SHA-256 checksum (sha256: and 64 hex digits)" }
    package var codedText: String { tagged }
    package var description: String { tagged }
}

/// Hexadecimal digits.
package enum Hex {
    /// Lower-case hex digits of the bytes.
    package static func string(_ bytes: UnsafeRawBufferPointer) -> String {
        String(unsafeUninitializedCapacity: bytes.count * 2) { output in
            write(bytes, to: output)
            return bytes.count * 2
        }
    }

    /// Writes two lower-case digits for every byte to the beginning of `output`.
    package static func write(_ bytes: UnsafeRawBufferPointer, to output: UnsafeMutableBufferPointer<UInt8>) {
        for (index, byte) in bytes.enumerated() {
            output[index * 2] = digit(byte >> 4)
            output[index * 2 + 1] = digit(byte & 15)
        }
    }

    /// The number that up to 16 digits stand for; nil when they are none.
    package static func word(_ digits: UnsafeBufferPointer<UInt8>) -> UInt64? {
        guard (1...16).contains(digits.count) else { return nil }
        var word: UInt64 = 0
        for digit in digits {
            guard let value = value(of: digit) else { return nil }
            word = word << 4 | UInt64(value)
        }
        return word
    }

    package static func value(of digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
