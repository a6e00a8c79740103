import Base

/// A verb of the command line: what it is called, what it takes, and what it does.
struct Command: Sendable {
    /// One word, or the words that lead to it, such as `store check`.
    let name: String
    /// One line, for the list of commands.
    let summary: String
    /// Names of its operands, such as `FILE`; all are required.
    var operands: [String] = []
    /// Operands behind those, which may be left out.
    var optionalOperands: [String] = []
    var options: [CommandOption] = []
    /// More than one line, for `vstack help NAME`.
    var discussion = ""
    /// Verbs of its own, of which one must follow; the command itself does nothing then.
    var subcommands: [Command] = []
    /// - Returns: the exit code.
    let run: @Sendable (Invocation) async throws -> Int32

    /// The word that it is called by after those that lead to it.
    var verb: String { name.split(separator: " ").last.map(String.init) ?? name }
}

extension Command {
    /// A command that only leads to others.
    init(group name: String, summary: String, _ subcommands: [Command]) {
        self.init(name: name, summary: summary, subcommands: subcommands) { _ in
            let verbs = subcommands.map(\.verb).joined(separator: ", ")
            throw UsageError("'vstack \(name)' needs one of these behind it: \(verbs)")
        }
    }

    /// Finds the command that the words begin with.
    /// - Returns: it, and the words behind its name.
    static func find(_ words: ArraySlice<String>, among commands: [Command], after prefix: String = "")
        throws(UsageError) -> (command: Command, rest: ArraySlice<String>)
    {
        let word = words.first ?? ""
        guard let command = commands.first(where: { $0.verb == word }) else {
            let lister = prefix.isEmpty ? "vstack help" : "vstack help \(prefix)"
            throw UsageError(
                "there is no command '\(prefix.isEmpty ? "" : prefix + " ")\(word)'"
                    + "\(Suggestion.text(for: word, among: commands.map(\.verb))); '\(lister)' lists them all")
        }
        let rest = words.dropFirst()
        guard !command.subcommands.isEmpty, let next = rest.first, !next.hasPrefix("-") else { return (command, rest) }
        return try find(rest, among: command.subcommands, after: command.name)
    }
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
