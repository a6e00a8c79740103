import Base
import Dispatch
import Foundation

/// Sessions as small JSON files in a folder beside the temporary files, so that a restart can say what became of them.
///
/// A file is replaced by a rename, so a kill leaves the old or the new. It is not synced: after a power failure the
/// temporary files mean nothing either.
final class SessionJournal: Sendable {
    struct Entry: Codable, Sendable {
        var session: UploadSession
        /// Whether the metadata service knows how the session ended.
        var isReported: Bool
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

    /// Every entry that can be read; what cannot is removed. Blocks, so it is for the start only.
    func load() -> [Entry] {
        names(in: folder, ending: ".json").compactMap { name in
            let path = "\(folder)/\(name)"
            guard let data = FileManager.default.contents(atPath: path), data.count < 1 << 20,
                let entry = try? JSONDecoder().decode(Entry.self, from: data)
            else {
                unlink(path)
                return nil
            }
            return entry
        }
    }

    /// Removes what a killed process left: uploads whose session is over by that.
    func sweep() {
        for name in names(in: temporaryFolder, ending: ".\(TemporaryFile.pathExtension)") {
            unlink("\(temporaryFolder)/\(name)")
        }
        for name in names(in: folder, ending: ".new") { unlink("\(folder)/\(name)") }
    }

    func write(_ entry: Entry) async {
        await withCheckedContinuation { continuation in
            queue.async { [self] in
                do {
                    let path = "\(folder)/\(entry.session.id).json"
                    try JSONEncoder().encode(entry).write(to: URL(filePath: path + ".new"))
                    guard rename(path + ".new", path) == 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
                } catch {
                    // The upload itself is not worse for it; only a restart would know less.
                    log.warning("a session could not be journaled", ["session": entry.session.id, "error": "\(error)"])
                }
                continuation.resume()
            }
        }
    }

    func remove(_ id: String) {
        let path = "\(folder)/\(id).json"
        queue.async { unlink(path) }
    }

    private func names(in folder: String, ending suffix: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0.hasSuffix(suffix) }
    }
}
