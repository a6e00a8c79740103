import Base
import Testing

@testable import vstack

@Suite("The command line")
struct CommandLineTests {
    private static let command = Command(
        name: "sample", summary: "", operands: ["FILE"],
        options: [
            CommandOption("title", "TITLE", ""), CommandOption("fast", nil, ""),
            CommandOption(setting: "DATA_DIR", "DIR", ""),
        ]
    ) { _ in 0 }

    private func parse(_ words: String...) throws -> Invocation {
        let settings = Settings(environment: ["DATA_DIR": "/from/environment"])
        return try CommandLineParser(command: Self.command).parse(words, settings: settings)
    }

    @Test("flags stand before or after operands, with a blank or an equals sign")
    func forms() throws {
        let invocation = try parse("--title", "A film", "--fast", "a.mp4", "--data-dir=/x=y")
        #expect(invocation.operands == ["a.mp4"])
        #expect(invocation.flag("title") == "A film")
        #expect(invocation.isSet("fast"))
        #expect(invocation.settings.text("DATA_DIR") == "/x=y")
        #expect(try parse("a.mp4").settings.text("DATA_DIR") == "/from/environment")
        #expect(try parse("--", "--title").operands == ["--title"])
    }

    @Test(
        "what is wrong is said by name, with the nearest that is right",
        arguments: [
            (["--titel", "x", "f"], "--titel; the nearest is --title"), ([], "FILE is missing"),
            (["a", "b"], "'b' is one too many"), (["f", "--title"], "--title needs a value"),
            (["f", "--fast=1"], "--fast takes no value"),
        ])
    func errors(_ words: [String], _ expected: String) {
        #expect {
            _ = try CommandLineParser(command: Self.command).parse(words, settings: Settings(environment: [:]))
        } throws: { error in
            (error as? UsageError)?.message.contains(expected) == true
        }
    }

    @Test("the distance of two words counts insertions, deletions and replacements")
    func distance() {
        #expect(Suggestion.distance("", "abc") == 3)
        #expect(Suggestion.distance("kitten", "sitting") == 3)
        #expect(Suggestion.distance("upload", "upload") == 0)
    }

    @Test("every command and flag is explained, and no two share a name")
    func help() {
        #expect(Set(VStack.commands.map(\.name)).count == VStack.commands.count)
        for command in VStack.commands {
            #expect(Help.overview.contains("  \(command.name) "))
            #expect(command.summary.hasSuffix("."), "\(command.name)")
            for option in command.options {
                #expect(option.help.hasSuffix("."), "--\(option.name) of \(command.name)")
                #expect(Help.text(for: command).contains("--\(option.name)"))
            }
        }
    }

    @Test(
        "nothing listens to a network unless it is told that it may",
        arguments: [("127.0.0.1", true), ("localhost", true), ("::1", true), ("0.0.0.0", false), ("10.0.0.1", false)])
    func exposure(_ host: String, _ isAllowed: Bool) throws {
        let closed = Settings(environment: [:])
        if isAllowed {
            try Exposure.check(host: host, settings: closed)
        } else {
            #expect(throws: Failure.self) { try Exposure.check(host: host, settings: closed) }
        }
        try Exposure.check(host: host, settings: Settings(environment: ["ALLOW_UNAUTHENTICATED": "true"]))
    }

    @Test("a command of two words is found before that of the first, and a mistyped second word is named")
    func twoWords() throws {
        #expect(try VStack.find(["metadata", "rebuild", "--json"])?.name == "metadata rebuild")
        #expect(try VStack.find(["metadata", "--port", "1"])?.name == "metadata")
        #expect(try VStack.find(["metadata"])?.name == "metadata")
        #expect(try VStack.find(["play", "x"])?.name == "play")
        #expect(try VStack.find(["nothing"]) == nil)
        let error = #expect(throws: UsageError.self) { try VStack.find(["metadata", "rebuid"]) }
        #expect(error?.message.contains("metadata rebuild") == true)
    }
}
