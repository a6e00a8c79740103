import Base
import Dispatch
import Foundation

/// A folder for one piece of work, removed with everything in it when it is let go.
package final class ScratchFolder: Sendable {
    package let path: String

    /// - Parameter parent: made when it is missing.
    /// - Throws: ``Failure``.
    package init(in parent: String) throws(Failure) {
        path = "\(parent)/\(UUID().uuidString.lowercased())"
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw Failure(.internal, "the scratch folder '\(parent)' cannot be written", cause: error)
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }
}

/// A file that is written once, in order. All I/O waits on a thread of Dispatch, never on those of Swift's tasks.
final class ScratchFile: Sendable {
    private static let pieceBytes = ByteCount.mebibyte
    private static let queue = DispatchQueue(label: "scratch", attributes: .concurrent)

    let path: String
    private let descriptor: Int32

    init(_ path: String) throws(Failure) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure("created", errno) }
    }

    deinit { close(descriptor) }

    /// - Throws: ``Failure``; `insufficientStorage` when the disk is full.
    func append(_ bytes: [UInt8]) async throws {
        guard !bytes.isEmpty else { return }
        try await Self.perform { [self] in
            var done = 0
            while done < bytes.count {
                let count = bytes.withUnsafeBytes { buffer in
                    write(descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done)
                }
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { throw Self.failure("written", errno) }
                done += count
            }
        }
    }

    /// Bytes of a file from `offset` on; fewer than `count` only at its end.
    static func read(_ path: String, at offset: Int, count: Int) async throws -> [UInt8] {
        try await perform {
            let descriptor = open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw failure("opened", errno) }
            defer { close(descriptor) }
            var reason: Int32 = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
                while filled < count {
                    let result = pread(
                        descriptor, buffer.baseAddress?.advanced(by: filled), count - filled, off_t(offset + filled))
                    if result < 0 && errno == EINTR { continue }
                    if result < 0 { reason = errno }
                    guard result > 0 else { return }
                    filled += result
                }
            }
            guard reason == 0 else { throw failure("read", reason) }
            return bytes
        }
    }

    /// Gives the file's bytes from the first to the last, in pieces.
    static func readThrough(_ path: String, _ body: ([UInt8]) async throws -> Void) async throws {
        var offset = 0
        while true {
            let piece = try await read(path, at: offset, count: pieceBytes)
            guard !piece.isEmpty else { return }
            try await body(piece)
            offset += piece.count
        }
    }

    private static func perform<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result { try work() }) }
        }
    }

    private static func failure(_ what: String, _ reason: Int32) -> Failure {
        if reason == ENOSPC || reason == EDQUOT { return Failure(.insufficientStorage, "the scratch disk is full") }
        return Failure(.internal, "a scratch file could not be \(what): \(String(cString: strerror(reason)))")
    }
}

extension EncodedStream {
    /// The bytes of one of its segments.
    package func bytes(of segment: EncodedSegment) async throws -> [UInt8] {
        let bytes = try await ScratchFile.read(
            path, at: initialization.count + segment.offsetBytes, count: segment.sizeBytes)
        guard bytes.count == segment.sizeBytes else {
            throw Failure(.internal, "a scratch file is shorter than it was")
        }
        return bytes
    }
}
