import Base
import Foundation

/// The program: finds the command, runs it, and says in one line what went wrong.
@main
enum VStack {
    static let commands: [Command] =
        [.up] + Role.all.map(\.command) + [
            .upload, .play, .verify, .videos, .nodes, .delete, .store, .sim, .version, .help,
        ]

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
        default:
            let (command, rest) = try Command.find(words[...], among: commands)
            let invocation = try CommandLineParser(command: command).parse(rest, settings: Settings())
            guard !invocation.isSet("help") else {
                Output.line(Help.text(for: command))
                return 0
            }
            return try await command.run(invocation)
        }
    }

    private static func complain(_ message: String) {
        FileHandle.standardError.write(Data("vstack: \(message)\n".utf8))
    }
}
