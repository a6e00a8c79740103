/// A run of bytes in memory that stays valid for as long as `owner` lives: a mapping, a pooled buffer, an array.
package struct MemoryRegion: @unchecked Sendable {
    // Immutable bytes kept alive by `owner`, so sharing needs no lock.
    package let bytes: UnsafeRawBufferPointer
    package let owner: any AnyObject & Sendable

    package init(bytes: UnsafeRawBufferPointer, owner: any AnyObject & Sendable) {
        self.bytes = bytes
        self.owner = owner
    }

    /// The part of the region at these offsets, sharing the owner.
    package subscript(range: Range<Int>) -> MemoryRegion {
        MemoryRegion(bytes: UnsafeRawBufferPointer(rebasing: bytes[range]), owner: owner)
    }
}

extension MemoryRegion {
    /// A region that holds its own copy of the bytes.
    package init(copying array: [UInt8]) {
        let owner = HeapBytes(copying: array)
        self.init(bytes: owner.bytes, owner: owner)
    }
}

/// Bytes on the heap that never move and are freed with their owner.
private final class HeapBytes: @unchecked Sendable {
    // Written once in `init`, read-only afterwards, so sharing needs no lock.
    let bytes: UnsafeRawBufferPointer

    init(copying array: [UInt8]) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(array.count, 1), alignment: 64)
        buffer.copyBytes(from: array)
        bytes = UnsafeRawBufferPointer(rebasing: buffer.prefix(array.count))
    }

    deinit { bytes.deallocate() }
}

/// How sizes are shown to people.
package enum ByteCount {
    package static let kibibyte = 1024
    package static let mebibyte = 1024 * 1024
    package static let gibibyte = 1024 * 1024 * 1024

    /// Such as `512 B`, `1.5 MiB`, `12.0 GiB`.
    package static func text(_ bytes: Int) -> String {
        var value = Double(bytes)
        var unit = 0
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return unit == 0 ? "\(bytes) B" : "\((value * 10).rounded() / 10) \(units[unit])"
    }
}
