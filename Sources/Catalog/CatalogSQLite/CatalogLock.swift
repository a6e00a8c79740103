import Base
import Catalog
import Foundation

/// That a catalog's file stays the one it is, for as long as this lives: services that use it share the lock, whoever
/// replaces the file has it alone. flock(2), which the end of a process lets go of.
package final class CatalogLock: Sendable {
    package enum Kind: Sendable {
        case shared, exclusive
    }

    private let descriptor: Int32

    /// - Throws: ``CatalogError`` that says who has it.
    package init(_ path: String, _ kind: Kind) throws(CatalogError) {
        descriptor = open("\(path).lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw CatalogError(.unwritable, "its lock cannot be written: \(String(cString: strerror(errno)))")
        }
        // What throws from here on ends as every one does: nothing of it is missing any more, and it closes its descriptor.
        guard flock(descriptor, (kind == .shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0 else {
            let holder = Self.holder(descriptor)
            throw CatalogError(
                .overloaded,
                kind == .shared
                    ? "it is being rebuilt by \(holder); start again when that is done"
                    : "it is in use by \(holder): stop the metadata service first")
        }
        let text = "\(getpid())\n"
        ftruncate(descriptor, 0)
        _ = text.withCString { pwrite(descriptor, $0, strlen($0), 0) }
    }

    deinit { close(descriptor) }

    /// The last process that took the lock. Of several that share it, it is one.
    private static func holder(_ descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        return Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)).map { "process \($0)" } ?? "another process"
    }
}
