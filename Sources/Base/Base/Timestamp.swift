import Foundation

/// A moment in UTC, in nanoseconds since 1970-01-01.
package struct Timestamp: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    package static func < (a: Timestamp, b: Timestamp) -> Bool { a.nanoseconds < b.nanoseconds }

    package func adding(seconds: Double) -> Timestamp { Timestamp(nanoseconds: nanoseconds + Int64(seconds * 1e9)) }

    /// Seconds from `earlier` to this moment.
    package func seconds(since earlier: Timestamp) -> Double { Double(nanoseconds - earlier.nanoseconds) / 1e9 }

    /// RFC 3339 in UTC with milliseconds, `2024-11-06T10:30:00.250Z`; whole seconds without the fraction.
    package var description: String {
        var seconds = Int(nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000).quotient)
        var fraction = Int(nanoseconds % 1_000_000_000)
        if fraction < 0 {
            fraction += 1_000_000_000
            seconds -= 1
        }
        var time = time_t(seconds)
        var parts = tm()
        gmtime_r(&time, &parts)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let year = String(Int(parts.tm_year) + 1900)
        let date = "\(year)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
        let clock = "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
        let milliseconds = fraction / 1_000_000
        guard milliseconds > 0 else { return "\(date)T\(clock)Z" }
        let digits = String(milliseconds)
        return "\(date)T\(clock).\(String(repeating: "0", count: 3 - digits.count))\(digits)Z"
    }
}

extension Timestamp: Codable {
    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        let plain = Date.ISO8601FormatStyle()
        let fractional = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        guard let date = (try? plain.parse(text)) ?? (try? fractional.parse(text)) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "'\(text.prefix(80))' is not an RFC 3339 time"))
        }
        let milliseconds = Int64((date.timeIntervalSince1970 * 1000).rounded())
        let (nanoseconds, overflows) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        guard !overflows else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "'\(text.prefix(80))' is too far away in time"))
        }
        self.init(nanoseconds: nanoseconds)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// Where a service reads the time from: the system, or a test's own hand.
package protocol TimeSource: Sendable {
    func now() -> Timestamp
}

package struct SystemTime: TimeSource {
    package init() {}

    package func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}
