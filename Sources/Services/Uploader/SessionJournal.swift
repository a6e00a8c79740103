import Base
import Dispatch
import Foundation
import Glibc

/// Sessions as small JSON files in a folder beside the temporary files, so that a restart can go on with them and say
/// what became of them.
///
/// A file is replaced by a rename, so a kill leaves the old or the new; what is written `durably` survives a power
/// failure as well.
final class SessionJournal: Sendable {
    struct Entry: Codable, Sendable {
        var session: UploadSession
        /// Whether the metadata service knows how the session ended.
        var isReported = false
        /// Nil before the upload was acknowledged, and once nothing is left to do with its file.
        var accepted: AcceptedUpload?
        /// True while the video is published and its original may not be stored yet.
        var isOriginalDue: Bool?
    }

    private let temporaryFolder: String
    private let folder: String
    private let log = Logger("uploader-service")
    private let queue = DispatchQueue(label: "upload-journal")

    /// - Parameter folder: of the temporary files; the journal makes its own below.
    /// - Throws: ``Failure`` that names the folder.
    init(folder: String) throws(Failure) {
        temporaryFolder = folder
        self.folder = "\(folder)/sessions"
        do {
            try FileManager.default.createDirectory(atPath: self.folder, withIntermediateDirectories: true)
        } catch {
            throw Failure(.unavailable, "'\(self.folder)' in TEMP_DIR cannot be made", cause: error)
        }
    }

    /// Every entry that can be read, the oldest session first; what cannot is removed. Blocks, so it is for the start
    /// only.
    func load() -> [Entry] {
        let entries = names(in: folder, ending: ".json").compactMap { name -> Entry? in
            let path = "\(folder)/\(name)"
            guard let data = FileManager.default.contents(atPath: path), data.count < 1 << 20,
                let entry = try? JSONDecoder().decode(Entry.self, from: data)
            else {
                unlink(path)
                return nil
            }
            return entry
        }
        return entries.sorted { $0.session.startedAt < $1.session.startedAt }
    }

    /// Removes the files of uploads that were on their way in when the process was killed, and what it was writing.
    /// - Parameter sessions: whose files stay.
    func sweep(keeping sessions: Set<String>) {
        let kept = Set(sessions.map { "\($0).\(TemporaryFile.pathExtension)" })
        for name in names(in: temporaryFolder, ending: ".\(TemporaryFile.pathExtension)") where !kept.contains(name) {
            unlink("\(temporaryFolder)/\(name)")
        }
        for name in names(in: folder, ending: ".new") { unlink("\(folder)/\(name)") }
    }

    /// Returns when the entry would survive a kill.
    func write(_ entry: Entry) async {
        await withCheckedContinuation { continuation in
            queue.async { [self] in
                put(entry)
                continuation.resume()
            }
        }
    }

    /// The same without waiting. Entries are written in the order they come.
    func post(_ entry: Entry) { queue.async { [self] in put(entry) } }

    /// Returns when the entry, and the temporary folder's names, would survive a power failure.
    /// - Throws: ``Failure`` when the disk does not take it.
    func writeDurably(_ entry: Entry) async throws(Failure) {
        let reason = await withCheckedContinuation { (continuation: CheckedContinuation<Int32, Never>) in
            queue.async { [self] in continuation.resume(returning: replace(entry, isDurable: true)) }
        }
        guard reason == 0 else {
            throw Failure(
                TemporaryFile.meansFull(reason) ? .insufficientStorage : .internal,
                "the upload could not be noted down: \(String(cString: strerror(reason)))")
        }
    }

    func remove(_ id: String) {
        let path = "\(folder)/\(id).json"
        queue.async { unlink(path) }
    }

    private func put(_ entry: Entry) {
        let reason = replace(entry, isDurable: false)
        guard reason != 0 else { return }
        // The upload itself is not worse for it; only a restart would know less.
        log.warning(
            "a session could not be journaled",
            ["session": entry.session.id, "error": String(cString: strerror(reason))])
    }

    /// - Returns: 0, or errno.
    private func replace(_ entry: Entry, isDurable: Bool) -> Int32 {
        let path = "\(folder)/\(entry.session.id).json"
        guard let data = try? JSONEncoder().encode(entry) else { return EINVAL }
        let reason = Self.write(data, to: path + ".new", isDurable: isDurable)
        guard reason == 0 else { return reason }
        guard rename(path + ".new", path) == 0 else { return errno }
        guard isDurable else { return 0 }
        let failure = Self.synchronize(folder)
        return failure == 0 ? Self.synchronize(temporaryFolder) : failure
    }

    private static func write(_ data: Data, to path: String, isDurable: Bool) -> Int32 {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { return errno }
        defer { close(file) }
        let count = data.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
        guard count == data.count else { return count < 0 ? errno : ENOSPC }
        guard !isDurable || fdatasync(file) == 0 else { return errno }
        return 0
    }

    /// Makes the folder's names durable.
    private static func synchronize(_ folder: String) -> Int32 {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        return fsync(descriptor) == 0 ? 0 : errno
    }

    private func names(in folder: String, ending suffix: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0.hasSuffix(suffix) }
    }
}
