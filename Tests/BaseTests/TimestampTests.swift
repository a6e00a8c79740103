import Testing

@testable import Base

@Suite("Timestamps")
struct TimestampTests {
    @Test("what is written is read as the same moment")
    func roundTrip() throws {
        for nanoseconds: Int64 in [0, 1_700_000_000_250_000_000, 4_000_000_000_000_000_000, -86_400_000_000_000] {
            let time = Timestamp(nanoseconds: nanoseconds)
            #expect(try JSON.decode(Timestamp.self, from: JSON.encode(time)) == time)
        }
    }

    @Test(
        "a time that is none, or too far away, is an error and no trap",
        arguments: ["9999-12-31T23:59:59Z", "2300-01-01T00:00:00Z", "1600-01-01T00:00:00Z", "yesterday", ""])
    func refused(_ text: String) {
        #expect(throws: Failure.self) { try JSON.decode(Timestamp.self, from: Array("\"\(text)\"".utf8)) }
    }

    @Test(
        "a moment is RFC 3339 in UTC, with milliseconds only where there are some",
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (1_730_889_000_000_000_000, "2024-11-06T10:30:00Z"),
            (1_730_889_000_250_000_000, "2024-11-06T10:30:00.250Z"), (-1_000_000, "1969-12-31T23:59:59.999Z"),
        ])
    func text(_ nanoseconds: Int64, _ expected: String) throws {
        let moment = Timestamp(nanoseconds: nanoseconds)
        #expect(moment.description == expected)
        #expect(try JSON.decode([Timestamp].self, from: Array("[\"\(expected)\"]".utf8)) == [moment])
    }
}
