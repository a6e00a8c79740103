import Base
import ChunkStore
import Glibc
import Synchronization

// How a step is watched, counted, failed, and only then taken.
extension FaultyFileSystem {
    /// Asks the watcher, and takes the step when it is to succeed.
    /// - Parameter onFailure: what a failing step leaves behind all the same.
    func perform<R>(
        _ operation: DiskStep.Operation, _ path: String,
        onFailure: (inout State, _ writtenBytes: Int) -> Void = { _, _ in },
        _ take: (inout State) throws(FileSystemError) -> R
    ) throws(FileSystemError) -> R {
        let step = DiskStep(operation: operation, path: path)
        let outcome = state.withLock { $0.watcher }?(step) ?? .done
        let result = try state.withLock { state throws(FileSystemError) -> R in
            try state.count(step)
            switch state.faulted(step, outcome) {
            case .done: return try take(&state)
            case .failed(let fault, let writtenBytes):
                onFailure(&state, writtenBytes)
                throw fault.error(step, writtenBytes: writtenBytes)
            case .pretended, .failedSilently: preconditionFailure("only a synchronization can be pretended: \(step)")
            }
        }
        state.withLock { $0.witness }?(step)
        return result
    }

    /// A synchronization: the one step that can also seem to succeed.
    func synchronize(_ inode: Inode, _ path: String) throws(FileSystemError) {
        let step = DiskStep(operation: .synchronize, path: path)
        state.withLock { $0.faults.beforeSynchronization }?()
        let outcome = state.withLock { $0.watcher }?(step) ?? .done
        try state.withLock { state throws(FileSystemError) in
            try state.count(step)
            switch state.faulted(step, outcome) {
            case .done: inode.synchronize()
            case .pretended: break
            case .failedSilently: inode.failSynchronization(&state.random)
            case .failed(let fault, _):
                inode.failSynchronization(&state.random)
                throw fault.error(step)
            }
        }
        state.withLock { $0.witness }?(step)
    }
}

extension FaultyFileSystem.State {
    /// Counts a change to the disk, or fails every call when the power is gone.
    fileprivate mutating func count(_ step: DiskStep) throws(FileSystemError) {
        if !isCrashed, step.isChange {
            counts.changes += 1
            if let remaining = faults.changesUntilCrash {
                faults.changesUntilCrash = remaining - 1
                isCrashed = remaining <= 0
            }
        }
        guard !isCrashed else { throw DiskFault.broken.error(step) }
        switch step.operation {
        case .write: counts.writes += 1
        case .synchronize: counts.dataSynchronizations += 1
        default: break
        }
    }

    fileprivate func faulted(_ step: DiskStep, _ outcome: DiskOutcome) -> DiskOutcome {
        guard step.operation == .synchronize, outcome == .done else { return outcome }
        if faults.failsSynchronization { return .failed(.broken) }
        return faults.liesAboutSynchronization ? .pretended : .done
    }

    /// Takes the space that the file needs to be that long; nothing when it is already.
    mutating func grow(_ inode: Inode, to size: Int, for call: String) throws(FileSystemError) {
        guard size <= inode.bytesMax else { throw FileSystemError(call, inode.path, errorNumber: EFBIG) }
        guard size > inode.size, let free = faults.freeBytes else { return }
        guard size - inode.size <= free else { throw FileSystemError(call, inode.path, errorNumber: ENOSPC) }
        faults.freeBytes = free - (size - inode.size)
    }

    mutating func giveSpace(_ count: Int) {
        if let free = faults.freeBytes { faults.freeBytes = free + count }
    }
}

extension DiskFault {
    fileprivate func error(_ step: DiskStep, writtenBytes: Int = 0) -> FileSystemError {
        FileSystemError(
            step.systemCall, step.path, errorNumber: self == .full ? ENOSPC : EIO, writtenBytes: writtenBytes)
    }
}
