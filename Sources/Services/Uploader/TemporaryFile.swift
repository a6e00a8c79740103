import Base
import Digests
import Dispatch
import Foundation
import Synchronization

/// An upload on disk: written once in order, hashed on the way, then read at any offset.
///
/// Its name is gone from the disk when it is let go, unless ``keep()`` has given it to whoever calls
/// ``remove(_:in:)``: an upload that was acknowledged outlives the process.
///
/// All I/O waits on threads of Dispatch, never on those of Swift's tasks.
package final class TemporaryFile: Sendable {
    /// Extension of every upload's file, so that a restart knows what to sweep.
    package static let pathExtension = "upload"

    package let path: String
    private let contents: Contents
    private let isKept = Locked(false)
    private let writer = DispatchQueue(label: "upload-write")
    private let reader = DispatchQueue(label: "upload-read", attributes: .concurrent)
    private let syncer = DispatchQueue(label: "upload-sync")

    /// What I/O under way needs. Apart from the file's name, so that the name goes with the file's owner, also while a
    /// thread of Dispatch has yet to let go of what it did last.
    private final class Contents: Sendable {
        let descriptor: Int32
        /// Of what was written so far; used on `writer` only, the lock says so to the compiler.
        let hash = Locked(SHA256())
        let size = Locked(0)
        /// errno of the first synchronization that failed: the kernel says it once.
        private let syncFailure = Locked<Int32>(0)

        init(descriptor: Int32) { self.descriptor = descriptor }

        deinit { close(descriptor) }

        /// - Returns: 0 when everything written before is durable, or errno.
        @discardableResult func synchronize() -> Int32 {
            let reason = fdatasync(descriptor) == 0 ? 0 : errno
            return syncFailure.withLock { failure in
                if failure == 0 { failure = reason }
                return failure
            }
        }
    }

    /// - Throws: ``Failure`` when the folder cannot be written.
    package init(folder: String, name: String) throws(Failure) {
        path = Self.path(name, in: folder)
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure("created", errno) }
        contents = Contents(descriptor: descriptor)
    }

    /// Opens a file that was kept, and reads it through.
    /// - Throws: ``Failure`` (`notFound`) when it is not there or not what it was.
    package init(kept name: String, in folder: String, sizeBytes: Int, checksum: SHA256Digest) async throws {
        path = Self.path(name, in: folder)
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw errno == ENOENT ? Failure(.notFound, "the file is gone") : Self.failure("opened", errno)
        }
        contents = Contents(descriptor: descriptor)
        isKept.withLock { $0 = true }
        contents.size.withLock { $0 = sizeBytes }
        var hash = SHA256()
        for offset in stride(from: 0, to: sizeBytes, by: Self.pieceBytes) {
            hash.update(try await read(at: offset, count: min(Self.pieceBytes, sizeBytes - offset)))
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, Int(status.st_size) == sizeBytes, hash.finish() == checksum else {
            throw Failure(.notFound, "the file is damaged")
        }
    }

    private static let pieceBytes = ByteCount.mebibyte
    /// How much is written between two synchronizations.
    private static let synchronizedBytes = 16 * ByteCount.mebibyte

    deinit { if !isKept.withLock({ $0 }) { unlink(path) } }

    /// From now on the name stays until ``remove(_:in:)``.
    package func keep() { isKept.withLock { $0 = true } }

    /// Takes a kept file's name off the disk.
    package static func remove(_ name: String, in folder: String) { unlink(path(name, in: folder)) }

    private static func path(_ name: String, in folder: String) -> String { "\(folder)/\(name).\(pathExtension)" }

    /// Bytes written.
    package var sizeBytes: Int { contents.size.withLock { $0 } }

    /// Appends the bytes.
    /// - Throws: ``Failure``; 507 when the disk is full.
    package func append(_ bytes: [UInt8]) async throws {
        let isDue = try await perform(on: writer) { [contents] in
            let end = contents.size.withLock { $0 }
            var done = 0
            while done < bytes.count {
                let count = bytes.withUnsafeBytes { buffer in
                    pwrite(
                        contents.descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done,
                        off_t(end + done))
                }
                guard count > 0 else {
                    if count < 0 && errno == EINTR { continue }
                    throw Self.failure("written", errno)
                }
                done += count
            }
            contents.hash.withLock { $0.update(bytes) }
            contents.size.withLock { $0 += bytes.count }
            return (end + done) / Self.synchronizedBytes > end / Self.synchronizedBytes
        }
        // The disk begins early, so that little is left to wait for at the end.
        if isDue { syncer.async { [contents] in contents.synchronize() } }
    }

    /// Returns when everything written would survive a power failure. The name does when its folder is durable.
    /// - Throws: ``Failure``; 507 when the disk is full.
    package func synchronize() async throws {
        try await perform(on: syncer) { [contents] in
            let reason = contents.synchronize()
            guard reason == 0 else { throw Self.failure("written", reason) }
        }
    }

    /// The SHA-256 of everything written.
    package func checksum() async throws -> SHA256Digest {
        try await perform(on: writer) { [contents] in contents.hash.withLock { $0.finish() } }
    }

    /// Bytes at the offset; fewer than `count` only at the file's end.
    /// - Throws: ``Failure`` when the disk cannot give them.
    package func read(at offset: Int, count: Int) async throws -> [UInt8] {
        try await perform(on: reader) { [contents] in
            var reason: Int32 = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
                filled = 0
                while filled < count {
                    let result = pread(
                        contents.descriptor, buffer.baseAddress?.advanced(by: filled), count - filled,
                        off_t(offset + filled))
                    if result == 0 { return }
                    if result < 0 {
                        if errno == EINTR { continue }
                        reason = errno
                        return
                    }
                    filled += result
                }
            }
            guard reason == 0 else { throw Self.failure("read", reason) }
            return bytes
        }
    }

    private func perform<Value: Sendable>(
        on queue: DispatchQueue, _ work: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result { try work() }) }
        }
    }

    static func meansFull(_ reason: Int32) -> Bool { reason == ENOSPC || reason == EDQUOT }

    private static func failure(_ what: String, _ reason: Int32) -> Failure {
        if meansFull(reason) {
            return Failure(.insufficientStorage, "the disk for temporary files is full; try again later")
        }
        return Failure(
            .internal, "the temporary file could not be \(what): \(String(cString: strerror(reason)))")
    }
}
