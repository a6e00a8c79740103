import Base
import Catalog
import Foundation

/// The place of a catalog that is built beside it and put there when it is whole.
///
/// Invariant: at every instant there is one complete catalog under the name, the one before or the new one, unless
/// there was none before.
package struct CatalogFile: Sendable {
    /// What SQLite may have beside a database.
    private static let companions = ["-wal", "-shm", "-journal"]

    package let path: String
    /// Where the new one is built.
    package let buildingPath: String
    private let lock: CatalogLock

    /// Takes the place for itself, and clears away what an attempt before may have left.
    /// - Parameter isReplacing: whether a catalog may be there.
    /// - Throws: ``CatalogError`` whose message names the file.
    package init(path: String, isReplacing: Bool) throws(CatalogError) {
        self.path = path
        buildingPath = path + ".rebuilding"
        do throws(CatalogError) {
            let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
            do {
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            } catch {
                throw CatalogError(.unwritable, "its folder cannot be created: \(error.localizedDescription)")
            }
            lock = try CatalogLock(path, .exclusive)
            guard isReplacing || !FileManager.default.fileExists(atPath: path) else {
                throw CatalogError(.conflict, "it is there; --replace puts the new one in its place and keeps the old")
            }
        } catch {
            throw CatalogError(error.code, "the catalog '\(path)' cannot be rebuilt: \(error.message)")
        }
        discard()
    }

    /// Removes what was built.
    package func discard() {
        for name in [""] + Self.companions { unlink(buildingPath + name) }
    }

    /// Puts what was built under the name, durably.
    /// - Parameter time: names the catalog that was there before.
    /// - Returns: where that is now; nil when there was none.
    package func install(at time: Timestamp) throws(CatalogError) -> String? {
        try Self.synchronize(buildingPath)
        let before = try keepOld(at: time)
        guard rename(buildingPath, path) == 0 else { throw Self.failure("the new catalog cannot be named '\(path)'") }
        try Self.synchronize(URL(fileURLWithPath: path).deletingLastPathComponent().path)
        return before
    }

    /// The old file gets a second name before it loses its own. Its log goes with it: beside the new file it would be
    /// taken for that one's.
    private func keepOld(at time: Timestamp) throws(CatalogError) -> String? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let old = "\(path).replaced-\(time.description.filter { $0 != ":" })"
        guard link(path, old) == 0 else { throw Self.failure("the old catalog cannot be kept as '\(old)'") }
        for name in Self.companions where FileManager.default.fileExists(atPath: path + name) {
            guard rename(path + name, old + name) == 0 else {
                throw Self.failure("the old catalog's '\(name)' cannot be kept")
            }
        }
        return old
    }

    /// Of a file or a folder.
    static func synchronize(_ path: String) throws(CatalogError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("'\(path)' cannot be opened") }
        defer { _ = close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("'\(path)' cannot be made durable") }
    }

    private static func failure(_ what: String) -> CatalogError {
        CatalogError(.unwritable, "\(what): \(String(cString: strerror(errno)))")
    }
}
