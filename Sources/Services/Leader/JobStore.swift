import Base
import Conversions
import Dispatch
import Foundation
import TemporaryStorage

/// Jobs as small JSON files in a folder, one a job, so that they survive a restart. A file is replaced by a rename, so a
/// kill leaves the old or the new.
///
/// What is handed in is written in that order.
final class JobStore: Sendable {
    private let folder: String
    /// Held for as long as the leader lives.
    private let lock: FolderLock
    private let queue = DispatchQueue(label: "jobs")

    /// - Throws: ``Failure`` that names the folder.
    init(folder: String) throws(Failure) {
        lock = try FolderLock(folder, setting: "DATA_DIR")
        self.folder = "\(folder)/jobs"
        do {
            try FileManager.default.createDirectory(atPath: self.folder, withIntermediateDirectories: true)
        } catch {
            throw Failure(.unavailable, "DATA_DIR '\(folder)' cannot be written", cause: error)
        }
    }

    /// Every job that can be read. Blocks, so it is for the start only.
    func load() -> [ConversionJob] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.compactMap { name in
            let path = "\(folder)/\(name)"
            guard name.hasSuffix(".json"), let data = FileManager.default.contents(atPath: path) else {
                unlink(path)
                return nil
            }
            return try? JSONDecoder().decode(ConversionJob.self, from: data)
        }
    }

    /// - Parameter written: told when all of it is on the disk.
    func keep(
        _ jobs: [ConversionJob], forgetting removed: [ConversionJob], written: @escaping @Sendable (Failure?) -> Void
    ) {
        queue.async { [self] in
            do {
                for job in jobs { try write(job) }
                for job in removed { unlink(path(job)) }
                try sync(folder)
                written(nil)
            } catch {
                written(error as? Failure ?? Failure(.internal, "the jobs cannot be kept", cause: error))
            }
        }
    }

    private func path(_ job: ConversionJob) -> String { "\(folder)/\(job.id).json" }

    private func write(_ job: ConversionJob) throws {
        let temporary = "\(folder)/\(job.id).new"
        try JSONEncoder().encode(job).write(to: URL(filePath: temporary))
        try sync(temporary)
        guard rename(temporary, path(job)) == 0 else { throw Self.failure() }
    }

    private func sync(_ path: String) throws(Failure) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.failure() }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw Self.failure() }
    }

    private static func failure() -> Failure {
        let reason = String(cString: strerror(errno))
        return errno == ENOSPC
            ? Failure(.insufficientStorage, "the disk of the leader's jobs is full")
            : Failure(.internal, "the jobs cannot be kept: \(reason)")
    }
}
