import Base
import Glibc
import Synchronization

/// Page-aligned buffers of one size for bodies on their way to the disk. Bounded: beyond `buffersMax` in use there is
/// none, and whoever asks is told to come back.
final class BufferPool: Sendable {
    private struct State {
        // The buffers are free: nobody else points to them.
        nonisolated(unsafe) var idle: [UnsafeMutableRawPointer] = []
        var inUse = 0
    }

    /// Free buffers kept for the next body; more go back to the system, since each may hold a chunk's worth of memory.
    private static let idleMax = 8

    let bufferBytes: Int
    private let buffersMax: Int
    private let state = Locked(State())

    init(bufferBytes: Int, buffersMax: Int) {
        self.bufferBytes = bufferBytes
        self.buffersMax = buffersMax
    }

    deinit { for buffer in state.withLock({ $0.idle }) { free(buffer) } }

    /// A buffer with any content; nil when all are in use.
    func take() -> PooledBuffer? {
        let (isAllowed, buffer): (Bool, UnsafeMutableRawPointer?) = state.withLock { state in
            guard state.inUse < buffersMax else { return (false, nil) }
            state.inUse += 1
            nonisolated(unsafe) let buffer = state.idle.popLast()
            return (true, buffer)
        }
        guard isAllowed else { return nil }
        let bytes = UnsafeMutableRawBufferPointer(start: buffer ?? allocate(), count: bufferBytes)
        return PooledBuffer(bytes: bytes, pool: self)
    }

    private func allocate() -> UnsafeMutableRawPointer {
        var pointer: UnsafeMutableRawPointer?
        guard posix_memalign(&pointer, 4096, bufferBytes) == 0, let pointer else { fatalError("out of memory") }
        return pointer
    }

    fileprivate func giveBack(_ bytes: UnsafeMutableRawBufferPointer) {
        nonisolated(unsafe) let buffer = bytes.baseAddress!
        let isKept = state.withLock { state in
            state.inUse -= 1
            guard state.idle.count < Self.idleMax else { return false }
            state.idle.append(buffer)
            return true
        }
        if !isKept { free(buffer) }
    }
}

/// A buffer of a pool, given back when it is let go. One owner at a time writes to it, so it needs no lock.
final class PooledBuffer: @unchecked Sendable {
    let bytes: UnsafeMutableRawBufferPointer
    private let pool: BufferPool

    fileprivate init(bytes: UnsafeMutableRawBufferPointer, pool: BufferPool) {
        self.bytes = bytes
        self.pool = pool
    }

    deinit { pool.giveBack(bytes) }
}
