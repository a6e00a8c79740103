import Foundation
import Synchronization

/// Structured logs: one line an event on standard error, JSON or text.
///
/// `LOG_LEVEL` is debug, info (default), warning or error; `LOG_FORMAT` is json (default) or text.
package struct Logger: Sendable {
    package enum Level: Int, Sendable, Comparable {
        case debug, info, warning, error

        package static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }

        init?(_ text: String) {
            switch text.lowercased() {
            case "debug", "trace": self = .debug
            case "info": self = .info
            case "warning", "warn": self = .warning
            case "error", "critical": self = .error
            default: return nil
            }
        }
    }

    /// The request an event belongs to; set by the server around every handler, and sent on by the client.
    @TaskLocal package static var requestID: String?

    private static let output = LogOutput()

    /// What speaks: a role's or a component's name.
    package let component: String

    package init(_ component: String) { self.component = component }

    package func debug(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> [String: String] = [:]) {
        log(.debug, message(), fields())
    }

    package func info(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> [String: String] = [:]) {
        log(.info, message(), fields())
    }

    package func warning(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> [String: String] = [:]) {
        log(.warning, message(), fields())
    }

    package func error(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> [String: String] = [:]) {
        log(.error, message(), fields())
    }

    package func isEnabled(_ level: Level) -> Bool { level >= Self.output.level }

    private func log(
        _ level: Level, _ message: @autoclosure () -> String, _ fields: @autoclosure () -> [String: String]
    ) {
        guard isEnabled(level) else { return }
        var fields = fields()
        if let requestID = Self.requestID { fields["request_id"] = requestID }
        Self.output.write(level, component, message(), fields)
    }
}

/// Where log lines go. One `write` a line, so that lines of several threads and processes do not mix.
private final class LogOutput: Sendable {
    let level: Logger.Level
    private let isJSON: Bool

    init() {
        let settings = Settings()
        level = settings.text("LOG_LEVEL").flatMap(Logger.Level.init) ?? .info
        isJSON = settings.text("LOG_FORMAT")?.lowercased() != "text"
    }

    func write(_ level: Logger.Level, _ component: String, _ message: String, _ fields: [String: String]) {
        let now = SystemTime().now().description
        var line: String
        if isJSON {
            var pairs = [("time", now), ("level", "\(level)"), ("component", component), ("message", message)]
            pairs += fields.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
            line = "{" + pairs.map { "\(Self.quoted($0.0)):\(Self.quoted($0.1))" }.joined(separator: ",") + "}"
        } else {
            line = "\(now) \("\(level)".uppercased()) \(component): \(message)"
            for (key, value) in fields.sorted(by: { $0.key < $1.key }) { line += " \(key)=\(value)" }
        }
        line += "\n"
        line.withUTF8 { bytes in _ = Foundation.write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20:
                let hex = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
