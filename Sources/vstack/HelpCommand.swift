import Base

extension Command {
    static let help = Command(
        name: "help", summary: "Show the commands, or what one of them takes.", optionalOperands: ["COMMAND", "WORD"],
        discussion: "'vstack help NAME' and 'vstack NAME --help' are the same."
    ) { invocation in
        guard !invocation.operands.isEmpty else {
            Output.line(Help.overview)
            return 0
        }
        let name = invocation.operands.joined(separator: " ")
        guard let command = VStack.commands.first(where: { $0.name == name }) else {
            throw UsageError(
                "there is no command '\(name)'\(Suggestion.text(for: name, among: VStack.commands.map(\.name)))")
        }
        Output.line(Help.text(for: command))
        return 0
    }

    static let version = Command(name: "version", summary: "Print the version (also --version).") { _ in
        Output.line("vstack \(Version.current)")
        return 0
    }
}

/// The texts of `vstack help`.
enum Help {
    static var overview: String {
        let roles = Set(Role.all.map(\.name))
        let width = (VStack.commands.map(\.name.count).max() ?? 0) + 2
        func lines(_ commands: [Command]) -> String {
            commands.map { "  " + pad($0.name, width) + $0.summary }.joined(separator: "\n")
        }
        return """
            V-Stack \(Version.current): a video cloud in one program.

            Usage: vstack COMMAND [FLAGS]

            Everything on this machine:
            \(lines(VStack.commands.filter { $0.name == "up" }))

            One role, for many machines:
            \(lines(VStack.commands.filter { roles.contains($0.name) }))

            Use it:
            \(lines(VStack.commands.filter { !roles.contains($0.name) && $0.name != "up" }))

            'vstack help COMMAND' says what a command takes.
            """
    }

    static func text(for command: Command) -> String {
        var text = "\(command.summary)\n\nUsage: vstack \(command.name) \(command.synopsis)\n"
        if !command.options.isEmpty {
            let names = command.options.map { "--\($0.name)\($0.value.map { " " + $0 } ?? "")" }
            let width = (names.map(\.count).max() ?? 0) + 2
            text += "\nFlags:\n"
            for (name, option) in zip(names, command.options) {
                let setting = option.setting.map { " [\($0)]" } ?? ""
                text += "  \(pad(name, width))\(option.help)\(setting)\n"
            }
            if command.options.contains(where: { $0.setting != nil }) {
                text += "\nIn brackets: the environment variable that says the same; a flag wins over it.\n"
            }
        }
        if !command.discussion.isEmpty { text += "\n\(command.discussion)\n" }
        return text
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }
}
