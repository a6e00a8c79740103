import Foundation
import Synchronization

/// Structured logs: one line an event on standard error, JSON or text.
///
/// `LOG_LEVEL` is debug, info (default), warning or error; `LOG_FORMAT` is json or text (default on a terminal).
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

    /// Logs from now on as `LOG_LEVEL` and `LOG_FORMAT` in `settings` say; until then, as the environment says.
    /// - Throws: ``Failure`` that names the one of them whose value is not known.
    package static func configure(_ settings: Settings) throws(Failure) { try output.configure(settings) }

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

    package func isEnabled(_ level: Level) -> Bool { Self.output.isEnabled(level) }

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
    private let minimum = Atomic(Logger.Level.info.rawValue)
    private let isJSON = Atomic(isatty(STDERR_FILENO) == 0)

    /// What the environment says; a value that is not known is left to ``configure(_:)`` to complain of.
    init() { try? configure(Settings()) }

    func configure(_ settings: Settings) throws(Failure) {
        if let text = settings.text("LOG_LEVEL") {
            guard let level = Logger.Level(text) else {
                throw Failure(
                    .invalidArgument, "LOG_LEVEL is '\(text)': it must be debug, info, warning or error")
            }
            minimum.store(level.rawValue, ordering: .relaxed)
        }
        if let text = settings.text("LOG_FORMAT")?.lowercased() {
            guard text == "json" || text == "text" else {
                throw Failure(.invalidArgument, "LOG_FORMAT is '\(text)': it must be json or text")
            }
            isJSON.store(text == "json", ordering: .relaxed)
        }
    }

    func isEnabled(_ level: Logger.Level) -> Bool { level.rawValue >= minimum.load(ordering: .relaxed) }

    func write(_ level: Logger.Level, _ component: String, _ message: String, _ fields: [String: String]) {
        let now = SystemTime().now().description
        var line: String
        if isJSON.load(ordering: .relaxed) {
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
