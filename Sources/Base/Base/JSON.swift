import Foundation

/// The one way the APIs write and read JSON: keys in snake_case from camelCase properties (`videoId` ⇄ `video_id`,
/// so a wire type's acronyms are words), sorted so that the same value is the same bytes.
package enum JSON {
    package static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return [UInt8](try encoder.encode(value))
    }

    /// The same bytes from what writes them itself.
    package static func encode(_ value: some Encodable & JSONWritable) throws(Failure) -> [UInt8] {
        var json = JSONWriter()
        try value.write(to: &json)
        return json.bytes
    }

    /// The same value from what reads itself, as long as it is plain.
    package static func decode<Value: Decodable & JSONReadable>(
        _ type: Value.Type, from bytes: [UInt8]
    ) throws(Failure) -> Value {
        if let value = JSONReader.value(type, in: bytes) { return value }
        return try decodeAny(type, from: bytes)
    }

    /// - Throws: ``Failure`` of category `invalidArgument` that names the field.
    package static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws(Failure) -> Value {
        try decodeAny(type, from: bytes)
    }

    private static func decodeAny<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws(Failure) -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do {
            return try decoder.decode(type, from: Data(bytes))
        } catch let error as DecodingError {
            throw Failure(.invalidArgument, explain(error), cause: error)
        } catch {
            throw Failure(.invalidArgument, "the body is not valid JSON", cause: error)
        }
    }

    private static func explain(_ error: DecodingError) -> String {
        func field(_ path: [any CodingKey]) -> String {
            let names = path.map { $0.intValue.map { "[\($0)]" } ?? snakeCase($0.stringValue) }
            return names.isEmpty ? "the JSON body" : "'\(names.joined(separator: "."))'"
        }
        switch error {
        case .keyNotFound(let key, let context): return "\(field(context.codingPath + [key])) is missing"
        case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
            return "\(field(context.codingPath)) must be \(name(of: type))"
        case .dataCorrupted(let context):
            guard !context.codingPath.isEmpty else { return "the body is not valid JSON" }
            // What the library says of a word that no case of an enumeration has: it names the Swift type.
            if let value = context.debugDescription.split(separator: " from invalid String value ").dropFirst().first {
                return "\(field(context.codingPath)) is '\(value.prefix(80))', which is none of its values"
            }
            return "\(field(context.codingPath)): \(context.debugDescription)"
        @unknown default: return "the body is not the JSON that was expected"
        }
    }

    private static func name(of type: any Any.Type) -> String {
        switch type {
        case is String.Type: "a string"
        case is Bool.Type: "true or false"
        case is any BinaryInteger.Type, is any BinaryFloatingPoint.Type: "a number"
        case is [String: Any].Type: "an object"
        default: "\(type)".hasPrefix("Array") ? "an array" : "an object"
        }
    }

    private static func snakeCase(_ name: String) -> String {
        name.reduce(into: "") { $0 += $1.isUppercase ? "_" + $1.lowercased() : String($1) }
    }
}
