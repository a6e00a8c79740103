import Base
import Testing

@Suite("JSON read and written directly")
struct DirectJSONTests {
    // Of these types the compiler knows only what the general coders need.
    private func general<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8]) throws -> Value {
        try JSON.decode(type, from: bytes)
    }

    private func general(encoding value: some Encodable) throws -> [UInt8] { try JSON.encode(value) }

    @Test(
        "numbers are those of the general decoder, to the last bit",
        arguments: [
            "0", "1", "10", "0.1", "0.25", "4.004", "48.048048", "1234567.89012345", "999999999999999",
            "0.00000000000001", "123456789.123456",
        ])
    func numbers(_ text: String) throws {
        let bytes = Array("[\(text)]".utf8)
        let direct = try #require(JSONReader.value([Double].self, in: bytes))
        #expect(direct[0].bitPattern == (try general([Double].self, bytes))[0].bitPattern)
    }

    @Test(
        "what is rare or wrong is left to the general decoder",
        arguments: [
            "[-1]", "[-0]", "[01]", "[00]", "[1.]", "[.5]", "[1e3]", "[1E3]", "[+1]", "[1,]", "[1 2]", "[", "[1", "",
            "1",
            "[1]]", "[1] x", "[null]", "[true]", "[1234567890123456]", "[0.1234567890123456]", "[99999999999999999999]",
            "\u{feff}[1]", "[1]\u{0}",
        ])
    func rareNumbers(_ text: String) { #expect(JSONReader.value([Double].self, in: Array(text.utf8)) == nil) }

    @Test(
        "so is text with escapes or beyond ASCII",
        arguments: [
            #"["\n"]"#, #"["\u0041"]"#, #"["\"]"#, #"["ü"]"#, "[\"\u{7f}\"]", "[\"\n\"]", #"["a]"#, #"["a"b]"#, "['a']",
        ]
    )
    func rareText(_ text: String) { #expect(JSONReader.value([String].self, in: Array(text.utf8)) == nil) }

    @Test("spaces between the parts change nothing")
    func spaces() {
        #expect(JSONReader.value([Int].self, in: Array(" [ 1 ,\n\t2\r\n] ".utf8)) == [1, 2])
        #expect(JSONReader.value([Int].self, in: Array("[ ]".utf8)) == [])
        #expect(JSONReader.value([String].self, in: Array(#"[" a ", ""]"#.utf8)) == [" a ", ""])
    }

    @Test("a number is written as the general encoder writes it")
    func writtenNumbers() throws {
        var numbers: [Double] = [
            0, -0.0, 1, -1, 0.1, 1e15, 1e16, 1e17, 1e300, .leastNonzeroMagnitude, 4.004, 123_456.789, -2.5, .pi,
        ]
        var bits: UInt64 = 1
        for _ in 0..<2000 {
            bits = bits &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let number = Double(bitPattern: bits)
            if number.isFinite { numbers.append(number) }
            numbers.append(Double(bits >> 40) / 1e6)
        }
        #expect(try JSON.encode(numbers) as [UInt8] == general(encoding: numbers))
        #expect(throws: Failure.self) { _ = try JSON.encode([Double.nan]) }
        let integers = [0, 1, -1, Int.max, Int.min]
        #expect(try JSON.encode(integers) as [UInt8] == general(encoding: integers))
    }

    @Test("text is escaped as the general encoder does it, and read again")
    func writtenText() throws {
        var texts = (0..<0x180).compactMap { UnicodeScalar($0) }.map { "a\($0)b/\($0)" }
        texts += ["", "\u{2028}\u{2029}", "😀", "e\u{301}", #""\""#]
        let bytes = try JSON.encode(texts) as [UInt8]
        #expect(try bytes == general(encoding: texts))
        #expect(try general([String].self, bytes) == texts)
    }
}
