import Base

/// One decision: a chunk, and which decision about it.
///
/// Version 0 says what the chunk is and where it was put; every later one where it has moved.
package struct InstanceID: Hashable, Sendable, TextCodable {
    package static let textForm = "an instance (<chunk>@<version>)"

    package let chunk: ChunkID
    package let version: UInt32

    package init(_ chunk: ChunkID, version: UInt32 = 0) {
        self.chunk = chunk
        self.version = version
    }

    /// `<chunk>@<version>`; chunk ids have no `@`.
    package init?(_ text: String) {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, let chunk = ChunkID(parts[0]), let version = UInt32(parts[1]),
            String(version) == parts[1]
        else { return nil }
        self.init(chunk, version: version)
    }

    package var description: String { "\(chunk)@\(version)" }
}
