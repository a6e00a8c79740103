import Base
import HTTPTypes
import MetadataAPI

/// The headers that go with an uploaded file: what its uploader chose must neither break a header nor run as a page.
enum OriginalHeaders {
    static func contentType(of original: OriginalMessage) -> String {
        let type = original.contentType.lowercased()
        let parts = type.split(separator: "/", omittingEmptySubsequences: false)
        let isMedia = parts.count == 2 && (parts[0] == "video" || parts[0] == "audio") && !parts[1].isEmpty
        return isMedia && parts[1].utf8.allSatisfy(isTokenByte) ? type : "application/octet-stream"
    }

    /// `inline` with the file's name (RFC 6266): as it is where it is plain, and in UTF-8 where it is not.
    static func contentDisposition(of original: OriginalMessage) -> String {
        let name = original.filename.isEmpty ? "video" : String(original.filename.prefix(255))
        let plain = String(decoding: name.unicodeScalars.map { plainByte($0) }, as: UTF8.self)
        return "inline; filename=\"\(plain)\"; filename*=UTF-8''\(percentEncoded(name))"
    }

    private static func plainByte(_ scalar: Unicode.Scalar) -> UInt8 {
        let isPlain = (0x20...0x7e).contains(scalar.value) && !"\"\\/%".unicodeScalars.contains(scalar)
        return isPlain ? UInt8(scalar.value) : UInt8(ascii: "_")
    }

    private static func percentEncoded(_ text: String) -> String {
        text.utf8.reduce(into: "") { result, byte in
            if isTokenByte(byte), byte != UInt8(ascii: "+") {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
            UInt8(ascii: "+"):
            true
        default: false
        }
    }
}
