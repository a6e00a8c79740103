import Base

/// A verb of the command line: what it is called, what it takes, and what it does.
struct Command: Sendable {
    /// One word, or two as in `metadata rebuild`.
    let name: String
    /// One line, for the list of commands.
    let summary: String
    /// Names of its operands, such as `FILE`; all are required.
    var operands: [String] = []
    /// Further operands that may be left out.
    var optionalOperands: [String] = []
    /// Whether the last operand may be said any number of times.
    var isVariadic = false
    var options: [CommandOption] = []
    /// More than one line, for `vstack help NAME`.
    var discussion = ""
    /// - Returns: the exit code.
    let run: @Sendable (Invocation) async throws -> Int32

    var words: [Substring] { name.split(separator: " ") }
    var takesNoOperand: Bool { operands.isEmpty && optionalOperands.isEmpty }
}

/// A flag of a command. One that names a setting wins over the environment variable of that name.
struct CommandOption: Sendable {
    /// Without the dashes, in kebab-case.
    let name: String
    /// What its value is called in help, such as `DIR`; nil for a flag that takes none.
    let value: String?
    let help: String
    /// The setting it overrides; nil for a flag that is the command's own.
    var setting: String?

    /// A flag that takes a value, of the command's own.
    init(_ name: String, _ value: String?, _ help: String) {
        self.name = name
        self.value = value
        self.help = help
    }

    /// The flag of an environment variable: `DATA_DIR` is `--data-dir`.
    init(setting: String, _ value: String, _ help: String) {
        name = setting.lowercased().replacing("_", with: "-")
        self.value = value
        self.help = help
        self.setting = setting
    }
}

/// A command as it was called.
struct Invocation: Sendable {
    let operands: [String]
    let flags: [String: String]
    /// The environment, with what flags override.
    let settings: Settings

    func flag(_ name: String) -> String? { flags[name] }

    func isSet(_ name: String) -> Bool { flags[name] != nil }

    func integer(_ name: String, default fallback: Int, in range: ClosedRange<Int>) throws(UsageError) -> Int {
        guard let text = flags[name] else { return fallback }
        guard let value = Int(text), range.contains(value) else {
            throw UsageError(
                "--\(name) is '\(text)': it must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }
}

/// The command line was not understood. Exit code 64 (`EX_USAGE`).
struct UsageError: Error {
    let message: String

    init(_ message: String) { self.message = message }
}
