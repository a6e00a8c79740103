import Base
import Catalog
import Foundation
import Testing

@testable import CatalogSQLite

@Suite("A catalog's place")
struct CatalogFileTests {
    private func write(_ text: String, _ path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    private func read(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }

    @Test("a catalog that is in use is not replaced, and one that is being replaced is not used")
    func locks() async throws {
        try await withFolder { folder in
            let path = folder + "/metadata.db"
            let catalog = try CatalogSQLite(path: path)
            // Several services may use one catalog.
            let second = try CatalogSQLite(path: path)
            let error = #expect(throws: CatalogError.self) { try CatalogFile(path: path, isReplacing: true) }
            #expect(error?.message.contains("in use by process \(getpid())") == true)
            await second.close()
            await catalog.close()
            let file = try CatalogFile(path: path, isReplacing: true)
            let refusal = #expect(throws: CatalogError.self) { try CatalogSQLite(path: path) }
            #expect(refusal?.message.contains("being rebuilt by process \(getpid())") == true)
            withExtendedLifetime(file) {}
        }
    }

    @Test("what is there is replaced only when asked, and kept with its log under another name")
    func replaces() async throws {
        try await withFolder { folder in
            let path = folder + "/a/metadata.db"
            var file: CatalogFile? = try CatalogFile(path: path, isReplacing: false)
            try write("first", try #require(file?.buildingPath))
            #expect(try file?.install(at: Timestamp(nanoseconds: 0)) == .some(nil))
            file = nil
            #expect(read(path) == "first")
            try write("log", path + "-wal")

            let error = #expect(throws: CatalogError.self) { try CatalogFile(path: path, isReplacing: false) }
            #expect(error?.code == .conflict && error?.message.contains("--replace") == true)
            let second = try CatalogFile(path: path, isReplacing: true)
            try write("second", second.buildingPath)
            let kept = try #require(try second.install(at: Timestamp(nanoseconds: 0)))
            #expect(read(path) == "second" && read(kept) == "first" && read(kept + "-wal") == "log")
            #expect(read(path + "-wal") == nil && read(second.buildingPath) == nil)
        }
    }

    @Test("what an attempt left behind is cleared away by the next")
    func leftovers() async throws {
        try await withFolder { folder in
            let path = folder + "/metadata.db"
            for name in ["", "-wal", "-journal"] { try write("left", path + ".rebuilding" + name) }
            let file = try CatalogFile(path: path, isReplacing: false)
            #expect(read(file.buildingPath) == nil && read(file.buildingPath + "-wal") == nil)
            file.discard()
        }
    }
}
