import Base
import Foundation
import Testing

@testable import ConversionAPI

@Suite struct MediaHomeTests {
    /// A media home with a file, a folder, and links that lead out of it.
    private func withHome(_ body: (MediaHome, String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "home-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let root = folder.appending(path: "media")
        try FileManager.default.createDirectory(at: root.appending(path: "films"), withIntermediateDirectories: true)
        try Data("secret".utf8).write(to: folder.appending(path: "secret.mp4"))
        try Data("film".utf8).write(to: root.appending(path: "films/a.mp4"))
        for (name, target) in [("out", ".."), ("etc", "/etc"), ("file.mp4", "../secret.mp4"), ("inside", "films")] {
            try FileManager.default.createSymbolicLink(
                atPath: root.appending(path: name).path(), withDestinationPath: target)
        }
        try body(try MediaHome(root.path()), root.path())
    }

    @Test("files below the home are found by relative paths, by the home's own, and by links that stay within")
    func inside() throws {
        try withHome { home, root in
            let real = try home.file("films/a.mp4")
            #expect(real.hasSuffix("/films/a.mp4"))
            #expect(try home.file("/".appending(real.dropFirst())) == real)
            #expect(try home.file("./films//a.mp4") == real)
            #expect(try home.file("inside/a.mp4") == real)
            #expect(try home.place("films/new.mkv").hasSuffix("/films/new.mkv"))
            #expect(try home.relative(real) == "films/a.mp4")
        }
    }

    @Test(
        "what leads out of the home is refused, however it is written",
        arguments: [
            "../secret.mp4", "films/../../secret.mp4", "out/secret.mp4", "file.mp4", "etc/passwd", "/etc/passwd",
            "films/a.mp4\0", "..",
        ])
    func outside(path: String) throws {
        try withHome { home, _ in
            #expect { try home.file(path) } throws: { ($0 as? Failure)?.category == .invalidArgument }
        }
    }

    @Test(
        "nothing new is made outside of the home",
        arguments: ["../b.mp4", "films/../../b.mp4", "out/b.mp4", "etc/b.mp4", "/etc/b.mp4", "b.mp4\0", "..", "."])
    func outsidePlace(path: String) throws {
        try withHome { home, _ in
            #expect { try home.place(path) } throws: { ($0 as? Failure)?.category == .invalidArgument }
        }
    }

    @Test("what is not there is not found, and a folder is no file")
    func missing() throws {
        try withHome { home, _ in
            #expect { try home.file("films/b.mp4") } throws: { ($0 as? Failure)?.category == .notFound }
            #expect { try home.file("films") } throws: { ($0 as? Failure)?.category == .invalidArgument }
            #expect { try home.place("nowhere/b.mp4") } throws: { ($0 as? Failure)?.category == .notFound }
            #expect { try home.place("") } throws: { ($0 as? Failure)?.category == .invalidArgument }
        }
    }
}
