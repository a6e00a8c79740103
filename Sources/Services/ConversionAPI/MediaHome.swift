import Base
import CPlatform
import Foundation

/// The one folder whose files may be looked at, read and written. Paths are relative to it; one that begins with the
/// folder's own is taken as below it.
///
/// The kernel resolves every path and refuses what leads out of the folder, by `..` or by symbolic links
/// (`RESOLVE_BENEATH`, openat2(2)). ffmpeg is then given the path that the kernel found; who may swap folders for links
/// in the media home at that moment has the machine's files anyway.
package final class MediaHome: Sendable {
    private static let pathBytesMax = 4096
    /// `O_PATH` of open(2), which Swift does not see: to look at what a path names, not into it.
    private static let pathOnly: Int32 = 0o10_000_000

    private let root: String
    private let descriptor: Int32

    /// - Parameter isMade: whether it is made where it is missing.
    /// - Throws: ``Failure`` that names the setting.
    package init(_ folder: String, isMade: Bool = false) throws(Failure) {
        if isMade { try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }
        descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0, let root = Self.path(of: descriptor) else {
            let reason = String(cString: strerror(errno))
            throw Failure(.unavailable, "FRAME_SHIFT_HOME '\(folder)' cannot be opened: \(reason)")
        }
        self.root = root
    }

    deinit { close(descriptor) }

    /// Where temporary files' room is counted.
    package var folder: String { root }

    /// A file's path below the media home, in its one form.
    /// - Throws: ``Failure`` (400) for what cannot be below it.
    package func relative(_ path: String) throws(Failure) -> String {
        guard path.utf8.count <= Self.pathBytesMax, !path.utf8.contains(0) else {
            throw Failure(.invalidArgument, "a path has no zero byte and at most \(Self.pathBytesMax) bytes")
        }
        var path = path
        if path == root || path.hasPrefix(root + "/") {
            path = String(path.dropFirst(root.count + 1))
        } else if path.hasPrefix("/") {
            throw Self.outside(path)
        }
        let parts = path.split(separator: "/").filter { $0 != "." }
        guard !parts.contains("..") else { throw Self.outside(path) }
        return parts.joined(separator: "/")
    }

    /// The real path of a regular file that is there.
    /// - Throws: ``Failure``: 404 where there is none, 400 where it is no file or lies elsewhere.
    package func file(_ path: String) throws(Failure) -> String {
        let (real, mode) = try resolve(path)
        guard mode & S_IFMT == S_IFREG else { throw Failure(.invalidArgument, "'\(path.prefix(200))' is not a file") }
        return real
    }

    /// The real path of a folder that is there.
    package func folder(_ path: String) throws(Failure) -> String {
        let (real, mode) = try resolve(path)
        guard mode & S_IFMT == S_IFDIR else { throw Failure(.invalidArgument, "'\(path.prefix(200))' is not a folder") }
        return real
    }

    /// Where a new file may be made: its folder is there.
    package func place(_ path: String) throws(Failure) -> String {
        let parts = try relative(path).split(separator: "/")
        guard let name = parts.last, name.utf8.count <= 255 else {
            throw Failure(.invalidArgument, "'\(path.prefix(200))' names no file")
        }
        return try folder(parts.dropLast().joined(separator: "/")) + "/" + name
    }

    /// Gives a file another name; one that is taken is left alone.
    /// - Parameters: real paths, as ``place(_:)`` gives them.
    /// - Throws: ``Failure``; 409 where there is a file of that name.
    package static func rename(_ from: String, to: String) throws(Failure) {
        guard vstack_rename_new(from, to) != 0 else { return }
        let reason = errno
        let name = to.split(separator: "/").last ?? ""
        throw reason == EEXIST
            ? Failure(.conflict, "'\(name)' is there already; an existing file is never overwritten")
            : Failure(.internal, "the file cannot be given its name: \(String(cString: strerror(reason)))")
    }

    private func resolve(_ path: String) throws(Failure) -> (path: String, mode: mode_t) {
        let relative = try relative(path)
        let opened = vstack_open_beneath(descriptor, relative.isEmpty ? "." : relative, Self.pathOnly, 0)
        guard opened >= 0 else {
            switch errno {
            case EXDEV, ELOOP: throw Self.outside(path)
            case ENOENT, ENOTDIR: throw Failure(.notFound, "there is no '\(path.prefix(200))' in the media folder")
            default:
                throw Failure(.forbidden, "'\(path.prefix(200))' cannot be opened: \(String(cString: strerror(errno)))")
            }
        }
        defer { close(opened) }
        var status = stat()
        guard fstat(opened, &status) == 0, let real = Self.path(of: opened) else {
            throw Failure(.internal, "a file cannot be looked at")
        }
        return (real, status.st_mode)
    }

    private static func path(of descriptor: Int32) -> String? {
        try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(descriptor)")
    }

    private static func outside(_ path: String) -> Failure {
        Failure(.invalidArgument, "'\(path.prefix(200))' is not below the media folder")
    }
}
