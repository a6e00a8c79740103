import Base
import Catalog
import Foundation
import Placement
import Testing

@testable import CatalogSQLite

@Suite("Opening a SQLite catalog")
struct OpeningTests {
    @Test("folders on the way are created, and the file carries the last schema")
    func fresh() async throws {
        try await withFolder { folder in
            let path = folder + "/a/b/metadata.db"
            await (try CatalogSQLite(path: path)).close()
            let connection = try Connection(path: path, createsFile: false)
            let version = try connection.row("PRAGMA user_version") { $0.int(0) }
            #expect(version == Schema.steps.count)
            #expect(try Self.findings(connection) == ["ok"])
        }
    }

    @Test("each step runs once, in order, on files of any earlier version")
    func migrations() async throws {
        try await withFolder { folder in
            let path = folder + "/metadata.db"
            let added = "CREATE TABLE extra (n INTEGER) STRICT; INSERT INTO extra VALUES (1)"
            let first = try CatalogSQLite(path: path)
            try await first.registerNode(Fixture.node(Fixture.nodes[0]))
            await first.close()
            for _ in 0..<2 {
                let catalog = try CatalogSQLite(path: path, steps: Schema.steps + [added])
                #expect(try await catalog.nodes().count == 1)
                let rows = try await catalog.read { (connection) throws(CatalogError) in
                    try connection.row("SELECT count(*) FROM extra") { $0.int(0) }
                }
                #expect(rows == 1)
                await catalog.close()
            }
        }
    }

    @Test("videos from before the journal are due, with their publication")
    func journalOfOldVideos() async throws {
        try await withFolder { folder in
            let path = folder + "/metadata.db"
            let id = VideoID()
            try Self.makeOld(path, id)
            let catalog = try CatalogSQLite(path: path)
            #expect(try await catalog.due(.prompt) == [id])
            #expect(try await catalog.journal(of: id)?.publication?.original.qualityLabel == "240p")
            await catalog.close()
        }
    }

    @Test("nodes of a catalog from before zones are in the default one, and their groups stay")
    func beforeZones() async throws {
        try await withFolder { folder in
            let path = folder + "/metadata.db"
            try Self.makeOld(path, VideoID())
            let catalog = try CatalogSQLite(path: path)
            #expect(try await catalog.nodes().map(\.zone) == ["default"])
            #expect(try await catalog.nodes().map(\.report.space) == [nil])
            #expect(try await catalog.placementGroup("pg-1")?.members.map(\.description) == ["node-1"])
            await catalog.close()
        }
    }

    /// A catalog with one published video, as it was before there was a journal.
    private static func makeOld(_ path: String, _ id: VideoID) throws {
        let connection = try Connection(path: path, createsFile: true)
        try Schema.migrate(connection, steps: Array(Schema.steps.prefix(2)))
        let digest = String(repeating: "ab", count: 32)
        try connection.script(
            """
            INSERT INTO nodes VALUES (1, 'node-1', 'http://node-1:8081', '1', 0, 0, 0, '');
            INSERT INTO placement_groups VALUES (1, 'pg-1');
            INSERT INTO group_members VALUES (1, 1);
            INSERT INTO videos VALUES (1, '\(id)', 'A film', NULL, 60, 'active', NULL, 1, 7, 0, 0, 0);
            INSERT INTO originals VALUES (1, 'f', 't', 1, x'\(digest)', 2, 2, '240p');
            """)
    }

    @Test("a step that fails leaves the file as it was")
    func failedMigration() async throws {
        try await withFolder { folder in
            let path = folder + "/metadata.db"
            await (try CatalogSQLite(path: path)).close()
            let broken = "CREATE TABLE extra (n INTEGER); INSERT INTO nowhere VALUES (1)"
            #expect(throws: CatalogError.self) { try CatalogSQLite(path: path, steps: Schema.steps + [broken]) }
            let catalog = try CatalogSQLite(path: path)
            let tables = try await catalog.read { (connection) throws(CatalogError) in
                try connection.rows("SELECT name FROM sqlite_schema WHERE name = 'extra'") { $0.text(0) }
            }
            #expect(tables.isEmpty)
            await catalog.close()
        }
    }

    @Test("a file of a newer program is refused with both versions in the message")
    func newer() async throws {
        try await withFolder { folder in
            let path = folder + "/metadata.db"
            await (try CatalogSQLite(path: path, steps: Schema.steps + ["CREATE TABLE later (n)"])).close()
            let error = #expect(throws: CatalogError.self) { try CatalogSQLite(path: path) }
            #expect(error?.code == .newerSchema)
            #expect(error?.message.contains(path) == true)
            #expect(error?.message.contains("schema \(Schema.steps.count + 1)") == true)
        }
    }

    @Test("a file that is no catalog is refused and stays as it was")
    func foreign() async throws {
        try await withFolder { folder in
            let text = folder + "/text.db"
            let content = Data(String(repeating: "This is no database. ", count: 500).utf8)
            try content.write(to: URL(fileURLWithPath: text))
            #expect(throws: CatalogError.self) { try CatalogSQLite(path: text) }
            #expect(try Data(contentsOf: URL(fileURLWithPath: text)) == content)

            let other = folder + "/other.db"
            try Connection(path: other, createsFile: true).script("CREATE TABLE theirs (n INTEGER)")
            let before = try Data(contentsOf: URL(fileURLWithPath: other))
            let error = #expect(throws: CatalogError.self) { try CatalogSQLite(path: other) }
            #expect(error?.code == .corrupt)
            #expect(error?.message.contains("another program") == true)
            #expect(try Data(contentsOf: URL(fileURLWithPath: other)) == before)
        }
    }

    @Test("a place that cannot be written is one clear error")
    func unwritable() async throws {
        try await withFolder { folder in
            try Data().write(to: URL(fileURLWithPath: folder + "/file"))
            for path in [folder + "/file/metadata.db", folder, "/proc/metadata.db"] {
                let error = #expect(throws: CatalogError.self) { try CatalogSQLite(path: path) }
                #expect(error?.code == .unwritable, "\(path)")
                #expect(error?.message.contains(path) == true)
            }
        }
    }

    @Test("damage found while reading is an error, not a trap")
    func damaged() async throws {
        try await withFolder { folder in
            let path = folder + "/metadata.db"
            let catalog = try CatalogSQLite(path: path)
            try await Fixture.registerNodes(catalog)
            let id = Fixture.video().id
            try await catalog.createVideo(Fixture.video(id))
            try await catalog.write { (connection) throws(CatalogError) in
                try connection.run("UPDATE nodes SET id = 'two words' WHERE id = 'node-1'")
            }
            #expect(await catalogError { try await catalog.nodes() } == .corrupt)
            #expect(await catalogError { try await catalog.placementGroup(Fixture.group.id) } == .corrupt)
            await catalog.close()
        }
    }

    private static func findings(_ connection: Connection) throws(CatalogError) -> [String] {
        try connection.rows("PRAGMA integrity_check") { $0.text(0) }
    }
}
