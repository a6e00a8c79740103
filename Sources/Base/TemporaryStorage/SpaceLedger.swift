/// How much of a disk is promised and not yet taken. Pure.
///
/// Invariant: promised bytes never exceed what was free when they were promised, less ``freeBytesMin``.
struct SpaceLedger: Sendable {
    /// Left to the rest of the machine.
    static let freeBytesMin = 64 * 1024 * 1024

    /// Promised bytes that no file has taken yet.
    private(set) var outstandingBytes = 0

    /// - Parameter freeBytes: what the disk has now; bytes that files have taken are no longer in it.
    /// - Returns: whether the bytes are promised.
    mutating func reserve(_ bytes: Int, freeBytes: Int) -> Bool {
        guard bytes <= freeBytes - outstandingBytes - Self.freeBytesMin else { return false }
        outstandingBytes += bytes
        return true
    }

    /// A file took the bytes, or they are not needed.
    mutating func settle(_ bytes: Int) {
        precondition(bytes >= 0 && bytes <= outstandingBytes, "more is given back than was promised")
        outstandingBytes -= bytes
    }
}
