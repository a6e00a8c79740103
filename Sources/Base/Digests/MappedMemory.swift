import CPlatform

/// Access to mapped bytes that a failing disk may refuse.
package enum MappedMemory {
    /// Copies the bytes; false when the disk beneath cannot give them (the kernel says SIGBUS).
    package static func copy(_ bytes: UnsafeRawBufferPointer, to destination: UnsafeMutableRawPointer) -> Bool {
        guard let base = bytes.baseAddress else { return true }
        return vstack_guarded_copy(destination, base, bytes.count)
    }
}
