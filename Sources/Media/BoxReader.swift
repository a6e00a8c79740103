/// Reads big-endian fields and boxes (ISO/IEC 14496-12 §4.2) from bytes of a stranger: every read is checked, and what
/// is not there throws.
struct BoxReader {
    struct Box {
        let type: FourCC
        /// What follows the header.
        let body: ArraySlice<UInt8>
    }

    private let bytes: ArraySlice<UInt8>
    private var position: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    var remaining: Int { bytes.endIndex - position }

    mutating func skip(_ count: Int) throws(MediaError) { _ = try take(count) }

    mutating func take(_ count: Int) throws(MediaError) -> ArraySlice<UInt8> {
        guard count >= 0, count <= remaining else { throw Self.malformed("a box ends before its fields") }
        defer { position += count }
        return bytes[position..<position + count]
    }

    mutating func u8() throws(MediaError) -> UInt8 {
        guard let byte = try take(1).first else { throw Self.malformed("a box ends before its fields") }
        return byte
    }

    mutating func u16() throws(MediaError) -> UInt16 { UInt16(truncatingIfNeeded: try number(2)) }
    mutating func u32() throws(MediaError) -> UInt32 { UInt32(truncatingIfNeeded: try number(4)) }
    mutating func u64() throws(MediaError) -> UInt64 { try number(8) }

    /// The next box, or nil at the end.
    mutating func box() throws(MediaError) -> Box? {
        guard remaining > 0 else { return nil }
        let start = position
        var size = UInt64(try u32())
        let type = FourCC(try u32())
        if size == 1 { size = try u64() }
        if size == 0 { size = UInt64(bytes.endIndex - start) }
        guard size <= UInt64(bytes.endIndex - start), Int(size) >= position - start else {
            throw Self.malformed("a box '\(type)' is longer than the box around it")
        }
        return Box(type: type, body: try take(start + Int(size) - position))
    }

    /// The first box of that type among those that remain.
    static func first(_ type: FourCC, in body: ArraySlice<UInt8>) throws(MediaError) -> BoxReader? {
        var reader = BoxReader(body)
        while let box = try reader.box() { if box.type == type { return BoxReader(box.body) } }
        return nil
    }

    static func required(_ type: FourCC, in body: ArraySlice<UInt8>) throws(MediaError) -> BoxReader {
        guard let found = try first(type, in: body) else { throw malformed("the box '\(type)' is missing") }
        return found
    }

    /// What has not been read.
    var rest: ArraySlice<UInt8> { bytes[position...] }

    private mutating func number(_ count: Int) throws(MediaError) -> UInt64 {
        try take(count).reduce(0) { $0 << 8 | UInt64($1) }
    }

    static func malformed(_ what: String) -> MediaError {
        MediaError(.malformedFragment, "the fragmented MP4 is malformed: \(what)")
    }
}

/// A box's type.
struct FourCC: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    let code: UInt32

    init(_ code: UInt32) { self.code = code }

    init(stringLiteral text: StaticString) {
        precondition(text.utf8CodeUnitCount == 4)
        code = text.withUTF8Buffer { $0.reduce(0) { $0 << 8 | UInt32($1) } }
    }

    var description: String {
        String(
            decoding: [24, 16, 8, 0].map { shift in
                let byte = UInt8(truncatingIfNeeded: code >> shift)
                return (0x20...0x7e).contains(byte) ? byte : UInt8(ascii: "?")
            }, as: UTF8.self)
    }
}
