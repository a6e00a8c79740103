import Base
import Dispatch
import Foundation

/// Sessions as small JSON files beside the temporary files, so that a restart can say what became of them.
///
/// A file is replaced by a rename, so a kill leaves the old or the new. It is not synced: after a power failure the
/// temporary files mean nothing either.
final class SessionJournal: Sendable {
    struct Entry: Codable, Sendable {
        var session: UploadSession
        /// Whether the metadata service knows how the session ended.
        var isReported: Bool
    }

    private let folder: String
    private let log = Logger("uploader-service")
    private let queue = DispatchQueue(label: "upload-journal")

    init(folder: String) { self.folder = folder }

    /// Every entry that can be read; what cannot is removed. Blocks, so it is for the start only.
    func load() -> [Entry] {
        names(ending: ".json").compactMap { name in
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
        for name in names(ending: ".\(TemporaryFile.pathExtension)") + names(ending: ".new") {
            unlink("\(folder)/\(name)")
        }
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

    private func names(ending suffix: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0.hasSuffix(suffix) }
    }
}
