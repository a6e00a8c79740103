/// What writes its canonical JSON directly; ``JSON/encode(_:)`` then costs a twentieth of what the general encoder does.
package protocol JSONWritable {
    /// Writes the bytes that the general encoder would: keys in order, none for what is nil.
    /// - Throws: ``Failure`` for a number that JSON has no form for.
    func write(to json: inout JSONWriter) throws(Failure)
}

/// Writes JSON in the form of ``JSON/encode(_:)``: no spaces, no slash escaped. Keys come in the order that the caller
/// gives them in, which must be that of their bytes.
package struct JSONWriter {
    package private(set) var bytes: [UInt8] = []
    /// Whether a comma has to stand before the next value or key.
    private var needsComma = false

    private static let capacityBytes = 768

    package init() { bytes.reserveCapacity(Self.capacityBytes) }

    package mutating func object(_ fields: (inout JSONWriter) throws(Failure) -> Void) throws(Failure) {
        begin(UInt8(ascii: "{"))
        try fields(&self)
        end(UInt8(ascii: "}"))
    }

    /// Writes nothing for nil.
    /// - Parameter key: plain ASCII.
    package mutating func field(_ key: StaticString, _ value: (some JSONWritable)?) throws(Failure) {
        guard let value else { return }
        self.key(key)
        try value.write(to: &self)
    }

    mutating func array(_ elements: [some JSONWritable]) throws(Failure) {
        begin(UInt8(ascii: "["))
        for element in elements { try element.write(to: &self) }
        end(UInt8(ascii: "]"))
    }

    fileprivate mutating func text(_ text: String) {
        separate()
        var text = text
        text.withUTF8 { utf8 in
            bytes.append(UInt8(ascii: "\""))
            if utf8.allSatisfy(Self.isPlain) { bytes.append(contentsOf: utf8) } else { utf8.forEach { escape($0) } }
            bytes.append(UInt8(ascii: "\""))
        }
    }

    /// A number or another word that needs no quotes.
    fileprivate mutating func word(_ text: String) {
        separate()
        bytes.append(contentsOf: text.utf8)
    }

    private mutating func key(_ name: StaticString) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    private mutating func begin(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    private mutating func end(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    private mutating func escape(_ byte: UInt8) {
        func append(_ text: StaticString) {
            bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
        }
        switch byte {
        case UInt8(ascii: "\""): append("\\\"")
        case UInt8(ascii: "\\"): append("\\\\")
        case 0x08: append("\\b")
        case 0x0c: append("\\f")
        case UInt8(ascii: "\n"): append("\\n")
        case UInt8(ascii: "\r"): append("\\r")
        case UInt8(ascii: "\t"): append("\\t")
        case ..<0x20: bytes.append(contentsOf: "\\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8)
        default: bytes.append(byte)
        }
    }
}

extension Int: JSONWritable {
    package func write(to json: inout JSONWriter) { json.word(String(self)) }
}

extension Bool: JSONWritable {
    package func write(to json: inout JSONWriter) { json.word(self ? "true" : "false") }
}

extension Double: JSONWritable {
    /// The shortest digits that are this number and no other; whole numbers without a point.
    package func write(to json: inout JSONWriter) throws(Failure) {
        guard isFinite else { throw Failure(.invalidArgument, "\(self) is no number that JSON can carry") }
        let text = description
        json.word(text.hasSuffix(".0") ? String(text.dropLast(2)) : text)
    }
}

extension String: JSONWritable {
    package func write(to json: inout JSONWriter) { json.text(self) }
}

extension Array: JSONWritable where Element: JSONWritable {
    package func write(to json: inout JSONWriter) throws(Failure) { try json.array(self) }
}

extension TextCodable {
    package func write(to json: inout JSONWriter) { json.text(codedText) }
}

extension JSONWritable where Self: RawRepresentable, RawValue == String {
    package func write(to json: inout JSONWriter) { json.text(rawValue) }
}
