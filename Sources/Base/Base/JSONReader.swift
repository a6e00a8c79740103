/// What is read from plain JSON directly, field by field; ``JSON/decode(_:from:)`` then costs a twentieth of what the
/// general decoder does.
package protocol JSONReadable {
    /// - Throws: ``JSONReader/NotPlain`` for all that the general decoder would refuse, and for whatever is rare.
    static func read(_ json: inout JSONReader) throws(JSONReader.NotPlain) -> Self
}

/// Reads JSON as programs write it: every field once, no field that is not known, no escapes, no text but ASCII, numbers
/// without exponents. At anything else it gives up, and the general decoder finds out what it is.
///
/// Invariant: what is read here, the general decoder would have read as the same.
package struct JSONReader {
    /// The general decoder is to look at it.
    package struct NotPlain: Error {
        package init() {}
    }

    private let bytes: UnsafeBufferPointer<UInt8>
    private var place = 0

    private init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    /// - Returns: nil when the bytes are not plain, or more than one value.
    package static func value<Value: JSONReadable>(_ type: Value.Type, in bytes: [UInt8]) -> Value? {
        bytes.withUnsafeBufferPointer { buffer in
            var reader = JSONReader(buffer)
            guard let value = try? Value.read(&reader), reader.next() == nil else { return nil }
            return value
        }
    }

    /// Calls `field` for each key, to take the value that follows.
    package mutating func object(_ field: (inout JSONReader, _ key: String) throws(NotPlain) -> Void) throws(NotPlain) {
        try elements(from: UInt8(ascii: "{"), to: UInt8(ascii: "}")) { (json) throws(NotPlain) in
            let key = String(decoding: try json.text(), as: UTF8.self)
            try json.expect(UInt8(ascii: ":"))
            try field(&json, key)
        }
    }

    /// Takes a field's value, which must not have come before.
    package mutating func take<Value: JSONReadable>(_ value: inout Value?) throws(NotPlain) {
        guard value == nil else { throw NotPlain() }
        value = try Value.read(&self)
    }

    /// Calls `element` to take each.
    fileprivate mutating func array(_ element: (inout JSONReader) throws(NotPlain) -> Void) throws(NotPlain) {
        try elements(from: UInt8(ascii: "["), to: UInt8(ascii: "]"), element)
    }

    /// A string's content, where it lies; valid while the reader is.
    fileprivate mutating func text() throws(NotPlain) -> UnsafeBufferPointer<UInt8> {
        try expect(UInt8(ascii: "\""))
        let start = place
        while place < bytes.count, Self.isPlain(bytes[place]) { place += 1 }
        let end = place
        try expect(UInt8(ascii: "\""), afterSpace: false)
        return UnsafeBufferPointer(rebasing: bytes[start..<end])
    }

    fileprivate mutating func integer() throws(NotPlain) -> Int {
        let number = try number()
        guard number.fractionDigits == 0 else { throw NotPlain() }
        return number.digits
    }

    /// No negative number, none with more digits than are exact, none that begins with a zero it does not need.
    fileprivate mutating func number() throws(NotPlain) -> (digits: Int, fractionDigits: Int) {
        guard let first = next() else { throw NotPlain() }
        let start = place
        var digits = takeDigits(after: 0)
        let whole = place - start
        guard whole > 0, whole == 1 || first != UInt8(ascii: "0") else { throw NotPlain() }
        var fraction = 0
        if place < bytes.count, bytes[place] == UInt8(ascii: ".") {
            place += 1
            let point = place
            digits = takeDigits(after: digits)
            fraction = place - point
            guard fraction > 0 else { throw NotPlain() }
        }
        guard whole + fraction <= Self.exactDigitsMax else { throw NotPlain() }
        return (digits, fraction)
    }

    /// So many decimal digits are a whole number that a `Double` has exactly.
    private static let exactDigitsMax = 15

    private mutating func takeDigits(after value: Int) -> Int {
        var value = value
        while place < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[place]) {
            // Too many are refused afterwards; until then they must not overflow.
            value = value &* 10 &+ Int(bytes[place] - UInt8(ascii: "0"))
            place += 1
        }
        return value
    }

    private mutating func elements(
        from open: UInt8, to close: UInt8, _ element: (inout JSONReader) throws(NotPlain) -> Void
    ) throws(NotPlain) {
        try expect(open)
        if next() == close {
            place += 1
            return
        }
        while true {
            try element(&self)
            guard let byte = next() else { throw NotPlain() }
            place += 1
            if byte == close { return }
            guard byte == UInt8(ascii: ",") else { throw NotPlain() }
        }
    }

    private mutating func expect(_ byte: UInt8, afterSpace: Bool = true) throws(NotPlain) {
        guard (afterSpace ? next() : place < bytes.count ? bytes[place] : nil) == byte else { throw NotPlain() }
        place += 1
    }

    /// The next byte that is no space, without taking it.
    private mutating func next() -> UInt8? {
        while place < bytes.count {
            switch bytes[place] {
            case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"): place += 1
            case let byte: return byte
            }
        }
        return nil
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x20...0x7e).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }
}

extension Int: JSONReadable {
    package static func read(_ json: inout JSONReader) throws(JSONReader.NotPlain) -> Int { try json.integer() }
}

extension Double: JSONReadable {
    private static let powersOfTen: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ]

    package static func read(_ json: inout JSONReader) throws(JSONReader.NotPlain) -> Double {
        let (digits, fractionDigits) = try json.number()
        // Both are exact, so that the quotient is the nearest there is (Clinger, 1990).
        return Double(digits) / powersOfTen[fractionDigits]
    }
}

extension String: JSONReadable {
    package static func read(_ json: inout JSONReader) throws(JSONReader.NotPlain) -> String {
        String(decoding: try json.text(), as: UTF8.self)
    }
}

extension Array: JSONReadable where Element: JSONReadable {
    package static func read(_ json: inout JSONReader) throws(JSONReader.NotPlain) -> [Element] {
        var elements: [Element] = []
        try json.array { (json) throws(JSONReader.NotPlain) in elements.append(try Element.read(&json)) }
        return elements
    }
}

extension TextCodable {
    package static func read(_ json: inout JSONReader) throws(JSONReader.NotPlain) -> Self {
        guard let value = Self(utf8: try json.text()) else { throw JSONReader.NotPlain() }
        return value
    }
}

extension JSONReadable where Self: RawRepresentable, RawValue == String {
    package static func read(_ json: inout JSONReader) throws(JSONReader.NotPlain) -> Self {
        guard let value = Self(rawValue: try String.read(&json)) else { throw JSONReader.NotPlain() }
        return value
    }
}
