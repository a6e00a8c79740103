import Base
import Foundation

/// What a title and a file name must be. Pure.
enum UploadRules {
    static let titleCharactersMax = 500
    /// A title is refused unread past this many bytes: 500 characters of the longest sensible kind.
    static let titleBytesMax = 16 * 1024
    static let filenameCharactersMax = 255

    /// Extensions that are taken, with the type the original is served as.
    static let contentTypes = [
        "mp4": "video/mp4", "m4v": "video/mp4", "mov": "video/quicktime", "avi": "video/x-msvideo",
        "mkv": "video/x-matroska", "webm": "video/webm", "flv": "video/x-flv", "f4v": "video/mp4",
        "hevc": "video/hevc", "h265": "video/hevc", "h264": "video/h264", "ts": "video/mp2t", "m2ts": "video/mp2t",
        "mts": "video/mp2t", "mpg": "video/mpeg", "mpeg": "video/mpeg", "vob": "video/mpeg", "wmv": "video/x-ms-wmv",
        "asf": "video/x-ms-asf", "ogv": "video/ogg", "3gp": "video/3gpp", "3g2": "video/3gpp2",
        "mxf": "application/mxf", "dv": "video/x-dv",
    ]

    /// The title without the white space around it.
    /// - Throws: ``Failure`` (400).
    static func title(_ text: String) throws(Failure) -> String {
        let title = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !title.isEmpty else { throw Failure(.invalidArgument, "the form field 'title' is empty") }
        guard title.count <= titleCharactersMax else {
            throw Failure(.invalidArgument, "the title is longer than \(titleCharactersMax) characters")
        }
        guard !title.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
            throw Failure(.invalidArgument, "the title contains control characters (such as a line break)")
        }
        return title
    }

    /// The last part of the name that the client gave, and the content type that its extension stands for.
    /// - Throws: ``Failure`` (400).
    static func file(_ given: String?) throws(Failure) -> (name: String, contentType: String) {
        guard let given, !given.isEmpty else {
            throw Failure(.invalidArgument, "the form field 'video' must be a file with a name")
        }
        // Some browsers send a whole path, and some with backslashes.
        let last = given.split(whereSeparator: { $0 == "/" || $0 == "\\" }).last.map(String.init) ?? ""
        let name = String(
            String.UnicodeScalarView(last.unicodeScalars.filter { $0.properties.generalCategory != .control }))
        guard name.count <= filenameCharactersMax else {
            throw Failure(.invalidArgument, "the file's name is longer than \(filenameCharactersMax) characters")
        }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count > 1, let type = contentTypes[parts[parts.count - 1].lowercased()] else {
            let known = contentTypes.keys.sorted().joined(separator: ", ")
            throw Failure(.invalidArgument, "'\(name.prefix(80))' is not a video file: its name must end in \(known)")
        }
        return (name, type)
    }
}
