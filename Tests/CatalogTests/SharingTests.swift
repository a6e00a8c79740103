import Base
import Catalog
import ChunkPaxos
import Foundation
import Placement
import Testing

@testable import CatalogSQLite

@Suite("Disks, and several users of one catalog")
struct SharingTests {
    private let disks = (0..<3).map { AcceptorID(high: 1, low: UInt64($0)) }

    private func node(_ index: Int, _ disk: AcceptorID?) -> Node {
        let id = Fixture.nodes[index]
        return Node(
            id: id, url: "http://\(id):8081", version: "1", lastHeartbeat: Fixture.epoch, report: NodeReport(),
            acceptor: disk, proofKey: disk.map { _ in [UInt8](repeating: UInt8(index), count: 32) })
    }

    private var group: PlacementGroup {
        let members = Fixture.nodes.prefix(3)
        return PlacementGroup(
            members: members, identities: Dictionary(zip(members, disks)) { first, _ in first })
    }

    private func video(_ id: VideoID) -> NewVideo {
        NewVideo(
            id: id, title: "A film", filename: nil, durationSec: 0, group: group, creator: 7, createdAt: Fixture.epoch)
    }

    @Test(
        "a group keeps its members' disks, and what is on a disk is shown while the node has it",
        arguments: CatalogImplementation.all)
    func disks(_ implementation: CatalogImplementation) async throws {
        try await implementation.withCatalog { catalog in
            for index in 0..<3 { try await catalog.registerNode(node(index, disks[index])) }
            #expect(try await catalog.nodes().first == node(0, disks[0]))
            let id = VideoID()
            try await catalog.createVideo(video(id))
            #expect(try await catalog.placementGroup(group.id) == group)
            _ = try await catalog.recordChunk(try Fixture.chunk(id, 0))
            try await catalog.registerNode(node(1, AcceptorID(high: 2, low: 0)))
            let left = [Fixture.nodes[0], Fixture.nodes[2]]
            #expect(try await catalog.chunk(ChunkID(video: id, stream: .source, sequence: 0))?.replicas == left)
            #expect(try await catalog.contents(of: id, stream: nil)?.chunks.first?.replicas == left)
            #expect(try await catalog.placementGroup(group.id) == group)
            // A heartbeat and a registration without identity say nothing about the disk.
            try await catalog.registerNode(node(1, nil))
            #expect(try await catalog.chunk(ChunkID(video: id, stream: .source, sequence: 0))?.replicas == left)
            // It is copied there again.
            let replicas = try await catalog.recordChunk(try Fixture.chunk(id, 0)).replicas
            #expect(replicas == Array(Fixture.nodes.prefix(3)))
            let statistics = try await catalog.statistics()
            #expect(statistics.replicas == 3)
        }
    }

    @Test("a watch tells each change once, whoever made it, and nothing when there was none")
    func watch() async throws {
        try await withFolder { folder in
            let path = folder + "/metadata.db"
            let one = try CatalogSQLite(path: path)
            let two = try CatalogSQLite(path: path)
            try await Fixture.registerNodes(one)
            let ids = [VideoID(), VideoID()]
            for id in ids { try await one.createVideo(Fixture.video(id)) }
            let watch = try two.watch()
            #expect(try watch.changedVideos() == [])
            _ = try await one.recordChunk(try Fixture.chunk(ids[0], 0))
            _ = try await two.recordChunk(try Fixture.chunk(ids[1], 0))
            _ = try await one.recordChunk(try Fixture.chunk(ids[0], 1))
            #expect(try watch.changedVideos() == [ids[1], ids[0]])
            #expect(try watch.changedVideos() == [])
            try await one.recordHeartbeat(of: Fixture.nodes[0], NodeReport(), at: Fixture.epoch)
            #expect(try watch.changedVideos() == [])
            try await one.setStatus(of: ids[1], to: .failed, error: "no")
            try await two.deleteVideo(ids[0])
            #expect(Set(try watch.changedVideos()) == Set(ids))
            await one.close()
            await two.close()
        }
    }

    @Test("two who write to one file at once both get through")
    func writers() async throws {
        try await withFolder { folder in
            let path = folder + "/metadata.db"
            let catalogs = try [CatalogSQLite(path: path), CatalogSQLite(path: path)]
            try await Fixture.registerNodes(catalogs[0])
            let id = VideoID()
            try await catalogs[0].createVideo(Fixture.video(id))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for sequence in 0..<200 {
                    group.addTask { _ = try await catalogs[sequence % 2].recordChunk(try Fixture.chunk(id, sequence)) }
                }
                try await group.waitForAll()
            }
            #expect(try await catalogs[1].video(id)?.totalChunks == 200)
            for catalog in catalogs { await catalog.close() }
        }
    }
}
