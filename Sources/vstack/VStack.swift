import Base
import Foundation

/// The program: finds the command, runs it, and says in one line what went wrong.
@main
enum VStack {
    static let commands: [Command] =
        [.up] + Role.all.map(\.command)
        + [
            .upload, .convert, .transcodeStatus, .transcodeStop, .transcodeResume, .transcodeExplain, .play, .verify,
            .videos, .nodes, .delete, .sim, .metadataRebuild,
        ]
        + [.store, .storeInspect, .storeCheck, .storeCompact, .version, .help]

    static func main() async {
        // A reader that leaves early is an error of the write, not the end of the program.
        signal(SIGPIPE, SIG_IGN)
        exit(await run(Array(CommandLine.arguments.dropFirst())))
    }

    private static func run(_ words: [String]) async -> Int32 {
        do {
            return try await dispatch(words)
        } catch let error as UsageError {
            complain("\(error.message)")
            return 64
        } catch let error as any PresentableError {
            complain(error.message)
            return 1
        } catch is CancellationError {
            return 130
        } catch {
            complain("\(error)")
            return 1
        }
    }

    private static func dispatch(_ words: [String]) async throws -> Int32 {
        switch words.first {
        case nil, "--help", "-h": return try await dispatch(["help"])
        case "--version", "-V": return try await dispatch(["version"])
        case let name?:
            guard let command = try find(words) else {
                throw UsageError(
                    "there is no command '\(name)'\(Suggestion.text(for: name, among: commands.map(\.name))); "
                        + "'vstack help' lists them all")
            }
            let rest = words.dropFirst(command.words.count)
            let invocation = try CommandLineParser(command: command).parse(rest, settings: Settings())
            guard !invocation.isSet("help") else {
                Output.line(Help.text(for: command))
                return 0
            }
            return try await command.run(invocation)
        }
    }

    /// The command that the words begin with, the one of two words before that of one.
    /// - Throws: ``UsageError`` when the second word is none that there is after the first.
    static func find(_ words: [String]) throws(UsageError) -> Command? {
        let pair = words.prefix(2).joined(separator: " ")
        if let command = commands.first(where: { $0.name == pair }) { return command }
        guard let command = commands.first(where: { $0.name == words.first }) else { return nil }
        let longer = commands.map(\.name).filter { $0.hasPrefix(command.name + " ") }
        guard let second = words.dropFirst().first, !second.hasPrefix("-"), !longer.isEmpty, command.takesNoOperand
        else { return command }
        throw UsageError("there is no command '\(command.name) \(second)'\(Suggestion.text(for: pair, among: longer))")
    }

    private static func complain(_ message: String) {
        FileHandle.standardError.write(Data("vstack: \(message)\n".utf8))
    }
}
