import Base

/// One call to the file system that a test may watch, fail, or let the power fail before.
package struct DiskStep: Sendable, CustomStringConvertible {
    package enum Operation: Sendable, Equatable {
        case createDirectory
        case list
        case open
        /// An open that makes the file.
        case create
        case rename(to: String)
        case remove
        case synchronizeDirectory
        case read(Range<Int>)
        case write(Range<Int>)
        case synchronize
        case allocate(Range<Int>)
        case truncate(to: Int)
    }

    package let operation: Operation
    package let path: String

    /// Whether the disk may be different afterwards: the instants before such steps are all the instants that a power
    /// failure can tell apart.
    package var isChange: Bool {
        switch operation {
        case .list, .open, .read: false
        default: true
        }
    }

    /// The system call that does it, as errors name it.
    var systemCall: String {
        switch operation {
        case .createDirectory: "mkdir"
        case .list: "opendir"
        case .open, .create: "open"
        case .rename: "rename"
        case .remove: "unlink"
        case .synchronizeDirectory: "fsync"
        case .read: "pread"
        case .write: "pwrite"
        case .synchronize: "fdatasync"
        case .allocate: "fallocate"
        case .truncate: "ftruncate"
        }
    }

    package var description: String {
        switch operation {
        case .create: "create \(path)"
        case .rename(let newPath): "rename \(path) to \(newPath)"
        case .read(let range), .write(let range), .allocate(let range):
            "\(systemCall) \(path) \(range.lowerBound)..<\(range.upperBound)"
        case .truncate(let size): "\(systemCall) \(path) to \(size)"
        default: "\(systemCall) \(path)"
        }
    }
}

/// What becomes of a step.
package enum DiskOutcome: Sendable, Equatable {
    case done
    /// Fails. Of a write, the first `writtenBytes` come to the file all the same; a synchronization leaves what was
    /// not durable marked as clean, as Linux does, so that no later one brings it to the disk.
    case failed(DiskFault, writtenBytes: Int = 0)
    /// Reports success and does nothing: what a synchronization is worth to a store that does not wait for it.
    case pretended
    /// Fails as `failed` does and reports success: what it is to a store that ignores the failure.
    case failedSilently
}

package enum DiskFault: Sendable {
    /// EIO
    case broken
    /// ENOSPC
    case full
}
