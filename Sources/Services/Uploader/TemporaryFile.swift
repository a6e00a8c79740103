import Base
import Digests
import Dispatch
import Foundation
import Synchronization

/// An upload on disk: written once in order, hashed on the way, then read at any offset. Its name is gone from the disk
/// when it is let go.
///
/// All I/O waits on threads of Dispatch, never on those of Swift's tasks.
package final class TemporaryFile: Sendable {
    /// Extension of every upload's file, so that a restart knows what to sweep.
    package static let pathExtension = "upload"

    package let path: String
    private let contents: Contents
    private let writer = DispatchQueue(label: "upload-write")
    private let reader = DispatchQueue(label: "upload-read", attributes: .concurrent)

    /// What I/O under way needs. Apart from the file's name, so that the name goes with the file's owner, also while a
    /// thread of Dispatch has yet to let go of what it did last.
    private final class Contents: Sendable {
        let descriptor: Int32
        /// Of what was written so far; used on `writer` only, the lock says so to the compiler.
        let hash = Locked(SHA256())
        let size = Locked(0)

        init(descriptor: Int32) { self.descriptor = descriptor }

        deinit { close(descriptor) }
    }

    /// - Throws: ``Failure`` when the folder cannot be written.
    package init(folder: String, name: String) throws(Failure) {
        path = "\(folder)/\(name).\(Self.pathExtension)"
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure("created", errno) }
        contents = Contents(descriptor: descriptor)
    }

    deinit { unlink(path) }

    /// Bytes written.
    package var sizeBytes: Int { contents.size.withLock { $0 } }

    /// Appends the bytes.
    /// - Throws: ``Failure``; 507 when the disk is full.
    package func append(_ bytes: [UInt8]) async throws {
        try await perform(on: writer) { [contents] in
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

    private static func failure(_ what: String, _ reason: Int32) -> Failure {
        if reason == ENOSPC || reason == EDQUOT {
            return Failure(.insufficientStorage, "the disk for temporary files is full; try again later")
        }
        return Failure(
            .internal, "the temporary file could not be \(what): \(String(cString: strerror(reason)))")
    }
}
