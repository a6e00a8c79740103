import Base
import Foundation

/// That this process alone uses a folder, for as long as this lives (flock(2), which a kill lets go of).
final class FolderLock: Sendable {
    private let descriptor: Int32

    /// Makes the folder when it is not there.
    /// - Throws: ``Failure`` that names the folder.
    init(_ folder: String) throws(Failure) {
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw Failure(.unavailable, "TEMP_DIR '\(folder)' cannot be made", cause: error)
        }
        let path = "\(folder)/.lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw Failure(.unavailable, "TEMP_DIR '\(folder)' cannot be written: \(String(cString: strerror(errno)))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw Failure(.unavailable, "TEMP_DIR '\(folder)' is used by another uploader; give this one its own")
        }
    }

    deinit {
        // Not by closing alone: a child that is just being started has a copy of the descriptor until its exec.
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }
}
