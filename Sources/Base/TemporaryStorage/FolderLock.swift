import Base
import Foundation

/// That this process alone uses a folder, for as long as this lives (flock(2), which a kill lets go of).
package final class FolderLock: Sendable {
    private let descriptor: Int32

    /// Makes the folder when it is not there.
    /// - Parameter setting: what names the folder.
    /// - Throws: ``Failure`` that names the folder.
    package init(_ folder: String, setting: String) throws(Failure) {
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw Failure(.unavailable, "\(setting) '\(folder)' cannot be made", cause: error)
        }
        let path = "\(folder)/.lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw Failure(.unavailable, "\(setting) '\(folder)' cannot be written: \(String(cString: strerror(errno)))")
        }
        // What throws from here on ends as every one does: nothing of it is missing any more, and it closes its descriptor.
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw Failure(.unavailable, "\(setting) '\(folder)' is used by another process; give this one its own")
        }
    }

    deinit {
        // Not by closing alone: a child that is just being started has a copy of the descriptor until its exec.
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }
}
