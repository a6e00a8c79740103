/// Writes boxes (ISO/IEC 14496-12 §4.2) and their big-endian fields.
struct BoxWriter {
    private(set) var bytes: [UInt8] = []

    mutating func u8(_ value: UInt8) { bytes.append(value) }
    mutating func u16(_ value: UInt16) { number(UInt64(value), bytes: 2) }
    mutating func u32(_ value: UInt32) { number(UInt64(value), bytes: 4) }
    mutating func i32(_ value: Int32) { u32(UInt32(bitPattern: value)) }
    mutating func u64(_ value: UInt64) { number(value, bytes: 8) }
    mutating func raw(_ value: some Sequence<UInt8>) { bytes += value }

    /// A box around what `body` writes; its length is filled in afterwards.
    mutating func box(_ type: FourCC, _ body: (inout BoxWriter) -> Void) {
        let start = bytes.count
        u32(0)
        u32(type.code)
        body(&self)
        patch(UInt32(bytes.count - start), at: start)
    }

    /// A box with a version and flags.
    mutating func fullBox(_ type: FourCC, version: UInt8 = 0, flags: UInt32 = 0, _ body: (inout BoxWriter) -> Void) {
        box(type) { writer in
            writer.u32(UInt32(version) << 24 | flags)
            body(&writer)
        }
    }

    mutating func patch(_ value: UInt32, at offset: Int) {
        for index in 0..<4 { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (24 - 8 * index)) }
    }

    private mutating func number(_ value: UInt64, bytes count: Int) {
        for index in (0..<count).reversed() { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * index))) }
    }
}
