import Glibc

/// Header fields in order. Names compare without regard to case.
///
/// They lie one behind the other in one run of bytes, every name and every value ended by NUL: many fields are one
/// allocation, and a C library takes them as they lie. What follows a NUL in a name or value is left out.
package struct HTTPHeaders: Sendable, ExpressibleByDictionaryLiteral {
    package typealias Field = (name: String, value: String)

    /// Room for the fields of most messages, so that adding them one by one allocates once.
    private static let capacityBytes = 448

    private var bytes: [CChar] = []

    package init(_ fields: [Field] = []) { for (name, value) in fields { add(name, value) } }

    package init(dictionaryLiteral elements: (String, String)...) {
        for (name, value) in elements { add(name, value) }
    }

    /// The first value of that name; setting replaces all, nil removes them.
    package subscript(name: String) -> String? {
        get { first { Self.matches($0.name, name) }?.value }
        set {
            var kept = HTTPHeaders(filter { !Self.matches($0.name, name) })
            if let newValue { kept.add(name, newValue) }
            self = kept
        }
    }

    package mutating func add(_ name: String, _ value: String) {
        if bytes.capacity - bytes.count <= name.utf8.count + value.utf8.count + 1 {
            bytes.reserveCapacity(Swift.max(Self.capacityBytes, bytes.capacity * 2))
        }
        append(name)
        append(value)
    }

    /// The same as ``add(_:_:)`` for a number.
    package mutating func add(_ name: String, _ value: some BinaryInteger) { add(name, String(value)) }

    /// Calls `body` with every field as C strings, which are valid during the call.
    package func forEachCString(_ body: (_ name: UnsafePointer<CChar>, _ value: UnsafePointer<CChar>) -> Void) {
        bytes.withUnsafeBufferPointer { bytes in
            guard var next = bytes.baseAddress else { return }
            let end = next + bytes.count
            while next < end {
                let name = next
                let value = name + strlen(name) + 1
                next = value + strlen(value) + 1
                body(name, value)
            }
        }
    }

    private mutating func append(_ text: String) {
        text.withCString { bytes.append(contentsOf: UnsafeBufferPointer(start: $0, count: strlen($0) + 1)) }
    }

    private static func matches(_ a: String, _ b: String) -> Bool {
        guard a.utf8.count == b.utf8.count else { return false }
        return zip(a.utf8, b.utf8).allSatisfy { lower($0) == lower($1) }
    }

    private static func lower(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}

extension HTTPHeaders: Sequence {
    package struct Iterator: IteratorProtocol {
        fileprivate let bytes: [CChar]
        fileprivate var offset = 0

        package mutating func next() -> Field? {
            guard offset < bytes.count else { return nil }
            let name = nextText()
            return (name, nextText())
        }

        private mutating func nextText() -> String {
            bytes.withUnsafeBufferPointer { bytes in
                let start = bytes.baseAddress! + offset
                offset += strlen(start) + 1
                return String(cString: start)
            }
        }
    }

    package func makeIterator() -> Iterator { Iterator(bytes: bytes) }
}
