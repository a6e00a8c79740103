import Base
import Foundation
import SmartClient

extension Command {
    static let play = Command(
        name: "play", summary: "Fetch a video from the nodes, verified chunk by chunk.", operands: ["VIDEO"],
        options: [
            CommandOption("output", "FILE", "Where the fragmented MP4 goes; - for standard output (default VIDEO.mp4).")
        ] + Cluster.options,
        discussion: """
            Every chunk is checked against its checksum and fetched from the next node when one fails. The file appears
            under its name only when it is whole.
            """
    ) { invocation in
        let id = try invocation.videoID()
        return try await Cluster.with(invocation) { cluster in
            let output = try OutputFile(invocation.flag("output") ?? "\(id).mp4")
            let progress = Progress()
            let player = VideoPlayer(
                catalog: cluster.metadata,
                chunks: ChunkFetcher(transport: StorageNodeTransport(http: cluster.http)))
            do {
                let end = try await player.play(id, to: output.write) { state in
                    let fraction = state.bytesTotal == 0 ? 1 : Double(state.bytes) / Double(state.bytesTotal)
                    let seconds = String(format: "%.0f of %.0f s", state.seconds, state.secondsTotal)
                    let detail = "\(ByteCount.text(state.bytes)), \(seconds)"
                    progress.show("playing", fraction, detail)
                }
                try await output.publish()
                progress.finish()
                if let path = output.path {
                    Output.line("\(path): \(ByteCount.text(end.bytes)), \(end.chunks) chunks, \(end.secondsTotal) s")
                }
                return 0
            } catch {
                output.discard()
                throw error
            }
        }
    }
}

/// A file that gets its name only when it is whole, or standard output.
private final class OutputFile: Sendable {
    /// nil for standard output.
    let path: String?
    private let temporary: String?
    private let descriptor: Int32
    private let queue = DispatchQueue(label: "play.output")

    init(_ path: String) throws(Failure) {
        guard path != "-" else {
            (self.path, temporary, descriptor) = (nil, nil, STDOUT_FILENO)
            return
        }
        let temporary = "\(path).part-\(getpid())"
        descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw Failure(.forbidden, "\(path) cannot be written: \(String(cString: strerror(errno)))")
        }
        self.path = path
        self.temporary = temporary
    }

    func write(_ bytes: [UInt8]) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            queue.async { [self] in continuation.resume(with: Result { try writeAll(bytes) }) }
        }
    }

    /// Gives the file its name.
    func publish() async throws {
        guard let path, let temporary else { return }
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            queue.async { [descriptor] in
                guard fsync(descriptor) == 0, close(descriptor) == 0, rename(temporary, path) == 0 else {
                    let reason = String(cString: strerror(errno))
                    continuation.resume(throwing: Failure(.internal, "\(path) cannot be written: \(reason)"))
                    return
                }
                continuation.resume()
            }
        }
    }

    /// Leaves nothing behind.
    func discard() {
        guard let temporary else { return }
        close(descriptor)
        unlink(temporary)
    }

    private func writeAll(_ bytes: [UInt8]) throws {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                Foundation.write(descriptor, $0.baseAddress! + written, bytes.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw Failure(
                    errno == ENOSPC ? .insufficientStorage : .internal,
                    "\(path ?? "standard output") cannot be written: \(String(cString: strerror(errno)))")
            }
            written += count
        }
    }
}
