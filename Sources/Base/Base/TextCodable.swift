/// A value that JSON carries as one string.
package protocol TextCodable: Codable, CustomStringConvertible, JSONReadable, JSONWritable {
    /// What the text must be, for the error of one that is not, such as `a video id (a UUID)`.
    static var textForm: String { get }
    /// The text JSON carries.
    var codedText: String { get }
    init?(_ text: String)
    /// The same from the text's bytes; a type that takes them apart by itself saves the string.
    init?(utf8 text: UnsafeBufferPointer<UInt8>)
}

extension TextCodable {
    package var codedText: String { description }

    package init?(utf8 text: UnsafeBufferPointer<UInt8>) { self.init(String(decoding: text, as: UTF8.self)) }

    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let value = Self(text) else {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: decoder.codingPath, debugDescription: "'\(text.prefix(80))' is not \(Self.textForm)"))
        }
        self = value
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(codedText)
    }
}
