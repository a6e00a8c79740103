import Foundation

/// What a role is told from outside: flags over environment variables over defaults.
///
/// A setting has one name, the environment variable's (`DATA_DIR`); its flag is the same in kebab-case
/// (`--data-dir`) and wins. An empty value counts as absent unless asked for by ``textAllowingEmpty(_:)``.
package struct Settings: Sendable {
    private let environment: [String: String]
    private var overrides: [String: String]

    package init(
        environment: [String: String] = ProcessInfo.processInfo.environment, overrides: [String: String] = [:]
    ) {
        self.environment = environment
        self.overrides = overrides
    }

    /// The same settings with `name` set, as a flag would.
    package func setting(_ name: String, to value: String) -> Settings {
        var copy = self
        copy.overrides[name] = value
        return copy
    }

    package func text(_ names: String...) -> String? {
        names.lazy.compactMap(textAllowingEmpty).first { !$0.isEmpty }
    }

    package func text(_ name: String, default fallback: String) -> String { text(name) ?? fallback }

    /// The value even when it is empty; nil only when it was not given.
    package func textAllowingEmpty(_ name: String) -> String? { overrides[name] ?? environment[name] }

    package func integer(_ name: String, default fallback: Int, in range: ClosedRange<Int> = 0...Int.max)
        throws(Failure) -> Int
    {
        guard let text = text(name) else { return fallback }
        guard let value = Int(text), range.contains(value) else {
            throw Failure(.invalidArgument, "\(name) is '\(text)': it must be a whole number in \(Self.show(range))")
        }
        return value
    }

    package func number(_ name: String, default fallback: Double, in range: ClosedRange<Double>) throws(Failure)
        -> Double
    {
        guard let text = text(name) else { return fallback }
        guard let value = Double(text), range.contains(value) else {
            throw Failure(
                .invalidArgument,
                "\(name) is '\(text)': it must be a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    package func flag(_ name: String, default fallback: Bool) throws(Failure) -> Bool {
        guard let text = text(name) else { return fallback }
        switch text.lowercased() {
        case "true", "1", "yes", "on": return true
        case "false", "0", "no", "off": return false
        default: throw Failure(.invalidArgument, "\(name) is '\(text)': it must be true or false")
        }
    }

    /// Values separated by commas, without the empty ones.
    package func list(_ name: String) -> [String] {
        (text(name) ?? "").split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    private static func show(_ range: ClosedRange<Int>) -> String {
        range.upperBound == Int.max ? "\(range.lowerBound) or more" : "\(range.lowerBound)…\(range.upperBound)"
    }
}
