import Base
import Catalog
import Foundation
import Placement
import Testing

@testable import CatalogSQLite

@Suite("Catalog durability")
struct DurabilityTests {
    @Test("everything acknowledged is there when the catalog is opened again", arguments: CatalogImplementation.all)
    func reopen(_ implementation: CatalogImplementation) async throws {
        try await withFolder { folder in
            var catalog = try await implementation.open(folder)
            try await Fixture.registerNodes(catalog)
            let id = Fixture.video().id
            try await catalog.createVideo(Fixture.video(id))
            _ = try await catalog.recordChunk(try Fixture.chunk(id, 0))
            await catalog.close()
            #expect(await catalogError { try await catalog.video(id) } == .closed)
            #expect(await catalogError { try await catalog.addView(of: id) } == .closed)
            await catalog.close()
            catalog = try await implementation.open(folder)
            #expect(try await catalog.video(id)?.totalChunks == 1)
            #expect(try await catalog.nodes().count == 5)
            await catalog.close()
        }
    }

    /// What kill -9 leaves behind is the file and its log as they are at that instant: a copy of both while the writer
    /// is busy is just that.
    @Test("whatever was acknowledged before a kill is there after it, whole")
    func killed() async throws {
        try await withFolder { folder in
            let catalog = try CatalogSQLite(path: folder + "/catalog.db")
            try await Fixture.registerNodes(catalog)
            let id = Fixture.video().id
            try await catalog.createVideo(Fixture.video(id))
            for round in 0..<5 {
                let first = round * 40
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for sequence in first..<first + 40 {
                        group.addTask { _ = try await catalog.recordChunk(try Fixture.chunk(id, sequence)) }
                    }
                    try await group.next()
                    // The rest of the group is being written while the files are taken.
                    try Self.takeFiles(from: folder, to: "\(folder)/killed-\(round)")
                    try await group.waitForAll()
                }
                let survivor = try CatalogSQLite(path: "\(folder)/killed-\(round)/catalog.db")
                let chunks = try #require(try await survivor.contents(of: id, stream: nil)).chunks
                #expect(Set(chunks.map(\.sequence)).isSuperset(of: 0..<first))
                #expect(chunks.count > first)
                #expect(chunks.allSatisfy { $0.replicas == Fixture.group.members })
                #expect(try await survivor.video(id)?.totalChunks == chunks.count)
                await survivor.close()
            }
            await catalog.close()
        }
    }

    @Test("parallel writes share commits")
    func groupCommit() async throws {
        try await withFolder { folder in
            let catalog = try CatalogSQLite(path: folder + "/catalog.db")
            try await Fixture.registerNodes(catalog)
            let id = Fixture.video().id
            try await catalog.createVideo(Fixture.video(id))
            let before = catalog.commitCount
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<1000 { group.addTask { _ = try await catalog.addView(of: id) } }
                try await group.waitForAll()
            }
            #expect(catalog.commitCount - before < 500)
            await catalog.close()
        }
    }

    private static func takeFiles(from folder: String, to copy: String) throws {
        try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
        // An open read keeps checkpoints from starting the log anew, so that file and log, taken one after the other,
        // belong together: what a checkpoint moves meanwhile is in the log's copy too.
        let reader = try Connection(path: folder + "/catalog.db", createsFile: false)
        try reader.run("BEGIN")
        _ = try reader.row("SELECT count(*) FROM videos") { $0.int(0) }
        defer { try? reader.run("COMMIT") }
        for name in ["catalog.db", "catalog.db-wal"] {
            try FileManager.default.copyItem(atPath: "\(folder)/\(name)", toPath: "\(copy)/\(name)")
        }
    }
}
