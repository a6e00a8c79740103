import Base

/// Turns words into an ``Invocation``: `--flag value`, `--flag=value`, operands, and `--` before operands that begin
/// with a dash.
struct CommandLineParser {
    let command: Command

    func parse(_ words: some Sequence<String>, settings: Settings) throws(UsageError) -> Invocation {
        var operands: [String] = []
        var flags: [String: String] = [:]
        var settings = settings
        var onlyOperands = false
        var iterator = words.makeIterator()
        while let word = iterator.next() {
            guard !onlyOperands, word.hasPrefix("-"), word != "-" else {
                operands.append(word)
                continue
            }
            if word == "--" {
                onlyOperands = true
                continue
            }
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let option = try option(named: parts[0])
            let value: String
            if option.value == nil {
                guard parts.count == 1 else { throw UsageError("\(parts[0]) takes no value") }
                value = ""
            } else if let given = parts.count == 2 ? parts[1] : iterator.next() {
                value = given
            } else {
                throw UsageError("\(word) needs a value: \(word) \(option.value ?? "")")
            }
            flags[option.name] = value
            if let setting = option.setting { settings = settings.setting(setting, to: value) }
        }
        try check(operands, isHelp: flags["help"] != nil)
        return Invocation(operands: operands, flags: flags, settings: settings)
    }

    private func option(named word: String) throws(UsageError) -> CommandOption {
        if let option = command.options.first(where: { "--" + $0.name == word }) { return option }
        if word == "--help" || word == "-h" { return CommandOption("help", nil, "") }
        let names = command.options.map { "--" + $0.name } + ["--help"]
        throw UsageError(
            "'vstack \(command.name)' has no flag \(word)\(Suggestion.text(for: word, among: names))")
    }

    private func check(_ operands: [String], isHelp: Bool) throws(UsageError) {
        guard !isHelp else { return }
        if operands.count < command.operands.count {
            throw UsageError(
                "\(command.operands[operands.count]) is missing: vstack \(command.name) \(command.synopsis)")
        }
        let most = command.operands.count + command.optionalOperands.count
        if operands.count > most, !command.isVariadic {
            throw UsageError("'\(operands[most])' is one too many: vstack \(command.name) \(command.synopsis)")
        }
    }
}

extension Command {
    /// What follows the name: operands and flags.
    var synopsis: String {
        (operands + (isVariadic ? ["…"] : []) + optionalOperands.map { "[\($0)]" }
            + (options.isEmpty ? [] : ["[FLAGS]"])).joined(
                separator: " ")
    }
}

/// The real name that a mistyped one is nearest to.
enum Suggestion {
    static func text(for word: String, among names: [String]) -> String {
        guard let nearest = names.min(by: { distance(word, $0) < distance(word, $1) }) else { return "" }
        return "; the nearest is \(nearest)"
    }

    /// Levenshtein's distance: insertions, deletions and replacements of one character.
    static func distance(_ a: String, _ b: String) -> Int {
        let b = Array(b)
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, y) in b.enumerated() {
                let replaced = diagonal + (x == y ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
            }
        }
        return row[b.count]
    }
}
