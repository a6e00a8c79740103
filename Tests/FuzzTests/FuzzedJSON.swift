import Base
import ChunkPaxos

enum FuzzedJSON {
    /// What is read directly is what the general decoder reads, and is written as the general encoder writes it.
    static func decode(_ bytes: [UInt8]) {
        check([Double].self, bytes)
        check([Int].self, bytes)
        guard let value = check(ChunkValue.self, bytes) else { return }
        precondition((try? value.encoded()) == general(encoding: value), "one canonical form")
        precondition((try? ChunkValue(encoded: bytes)) == value, "the direct reader and the general one are one")
    }

    /// - Returns: the value that the direct reader reads, else the general decoder's, if any.
    @discardableResult
    private static func check<Value: Codable & JSONReadable & Equatable>(
        _ type: Value.Type, _ bytes: [UInt8]
    ) -> Value? {
        let expected = general(type, bytes)
        guard let direct = JSONReader.value(type, in: bytes) else { return expected }
        precondition(direct == expected, "what is read directly is what the bytes say")
        return direct
    }

    // Of these types the compiler knows only what the general coders need.
    private static func general<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8]) -> Value? {
        try? JSON.decode(type, from: bytes)
    }

    private static func general(encoding value: some Encodable) -> [UInt8]? { try? JSON.encode(value) }
}
