import Base
import ConversionAPI
import Conversions
import Foundation

/// `GET /api/files`: what is in a folder of the media home.
struct FileListing: Encodable, Sendable {
    struct Entry: Encodable, Sendable {
        enum Kind: String, Encodable, Sendable { case directory, file }

        let name: String
        /// Below the media home.
        let path: String
        let type: Kind
        let sizeBytes: Int?
        let modifiedAt: Timestamp?
        let isVideo: Bool
    }

    let path: String
    /// nil in the media home itself.
    let parent: String?
    let entries: [Entry]
    /// Whether there were more than are shown.
    let isTruncated: Bool
}

struct FileBrowser: Sendable {
    static let entriesMax = 5_000
    /// Files that a search looks at.
    private static let visitedMax = 100_000
    private static let videoExtensions: Set<String> = [
        "mp4", "mov", "avi", "m4v", "mkv", "webm", "flv", "hevc", "ts", "mpg", "mpeg", "m2ts", "wmv", "ogv", "mxf",
    ]

    let home: MediaHome

    /// Blocks on the disk.
    /// - Parameter search: a part of the name, in this folder and all below; nil lists the folder alone.
    func list(_ path: String, search: String?) throws(Failure) -> FileListing {
        let relative = try home.relative(path)
        let folder = try home.folder(relative)
        let (entries, isTruncated) =
            search.map { found($0.lowercased(), in: folder, relative) } ?? children(of: folder, relative)
        let sorted = entries.sorted { one, other in
            if one.type != other.type { return one.type == .directory }
            return NaturalOrder.isBefore(search == nil ? one.name : one.path, search == nil ? other.name : other.path)
        }
        let parent = relative.isEmpty ? nil : relative.split(separator: "/").dropLast().joined(separator: "/")
        return FileListing(path: relative, parent: parent, entries: sorted, isTruncated: isTruncated)
    }

    private func children(of folder: String, _ relative: String) -> ([FileListing.Entry], Bool) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let entries = names.prefix(Self.entriesMax).compactMap { entry($0, in: folder, relative) }
        return (entries, names.count > Self.entriesMax)
    }

    private func found(_ text: String, in folder: String, _ relative: String) -> ([FileListing.Entry], Bool) {
        var entries: [FileListing.Entry] = []
        var visited = 0
        var waiting = [(folder, relative)]
        while let (folder, relative) = waiting.popLast() {
            for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
                visited += 1
                guard visited <= Self.visitedMax, entries.count < Self.entriesMax else { return (entries, true) }
                guard let entry = entry(name, in: folder, relative) else { continue }
                if entry.type == .directory { waiting.append(("\(folder)/\(name)", entry.path)) }
                if name.lowercased().contains(text) { entries.append(entry) }
            }
        }
        return (entries, false)
    }

    /// nil for what begins with a dot, and for what is neither file nor folder: links are not followed.
    private func entry(_ name: String, in folder: String, _ relative: String) -> FileListing.Entry? {
        guard !name.hasPrefix(".") else { return nil }
        var status = stat()
        guard lstat("\(folder)/\(name)", &status) == 0 else { return nil }
        let isFolder = status.st_mode & S_IFMT == S_IFDIR
        guard isFolder || status.st_mode & S_IFMT == S_IFREG else { return nil }
        let ending = name.lastIndex(of: ".").map { name[name.index(after: $0)...].lowercased() } ?? ""
        let modified = Timestamp(nanoseconds: Int64(status.st_mtim.tv_sec) * 1_000_000_000)
        return FileListing.Entry(
            name: name, path: relative.isEmpty ? name : "\(relative)/\(name)", type: isFolder ? .directory : .file,
            sizeBytes: isFolder ? nil : Int(status.st_size), modifiedAt: modified,
            isVideo: !isFolder && Self.videoExtensions.contains(ending))
    }
}
