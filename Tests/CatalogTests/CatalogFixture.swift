import Base
import Catalog
import CatalogSQLite
import ChunkPaxos
import Foundation
import Placement
import Testing

/// An implementation under the conformance suite: how to open one, and open the same one again.
struct CatalogImplementation: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Opens the catalog that lives at a place of its own below the folder; the same folder is the same catalog.
    let open: @Sendable (_ folder: String) async throws -> any Catalog

    static let sqlite = CatalogImplementation(testDescription: "SQLite") { try CatalogSQLite(path: $0 + "/catalog.db") }

    static let all = [sqlite]

    /// Runs `body` over an empty catalog with five registered nodes, and removes it afterwards.
    func withCatalog(_ body: (any Catalog) async throws -> Void) async throws {
        try await withFolder { folder in
            let catalog = try await open(folder)
            try await Fixture.registerNodes(catalog)
            do {
                try await body(catalog)
            } catch {
                await catalog.close()
                throw error
            }
            await catalog.close()
        }
    }
}

/// Runs `body` with an empty folder and removes it afterwards.
func withFolder(_ body: (String) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("catalog-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try await body(folder)
}

/// Things to put in a catalog.
enum Fixture {
    static let nodes = (1...5).compactMap { NodeID("node-\($0)") }
    static let group = PlacementGroup(members: nodes.prefix(3))
    static let epoch = Timestamp(nanoseconds: 1_700_000_000_000_000_000)

    static func registerNodes(_ catalog: any Catalog) async throws {
        for id in nodes { try await catalog.registerNode(node(id)) }
    }

    static func node(_ id: NodeID, url: String? = nil, report: NodeReport = NodeReport()) -> Node {
        Node(id: id, url: url ?? "http://\(id):8081", version: "1.0.0", lastHeartbeat: epoch, report: report)
    }

    static func video(_ id: VideoID = VideoID(), title: String = "A film", after seconds: Double = 0) -> NewVideo {
        NewVideo(
            id: id, title: title, filename: "film.mp4", durationSec: 60, group: group, creator: .max - 1,
            createdAt: epoch.adding(seconds: seconds))
    }

    static func chunk(
        _ video: VideoID, _ sequence: Int, stream: ChunkStream = .source, sizeBytes: Int = 1000, byte: UInt8 = 7,
        replicas: [NodeID] = group.members
    ) throws -> Chunk {
        let digest = [UInt8](repeating: byte, count: 32).withUnsafeBytes { SHA256Digest(bytes: $0) }
        return Chunk(
            id: ChunkID(video: video, stream: stream, sequence: sequence), video: video, stream: stream,
            sequence: sequence, sizeBytes: sizeBytes, checksum: try #require(digest), redundancyMode: .replication,
            startSec: Double(sequence) * 10, durationSec: 10, replicas: replicas)
    }

    static func publication(sourceBytes: Int, originalBytes: Int) throws -> Publication {
        let digest = [UInt8](repeating: 9, count: 32).withUnsafeBytes { SHA256Digest(bytes: $0) }
        let segments = [
            Segment(offsetBytes: 100, sizeBytes: sourceBytes / 2, startSec: 0, durationSec: 6.006),
            Segment(
                offsetBytes: 100 + sourceBytes / 2, sizeBytes: sourceBytes - sourceBytes / 2 - 100, startSec: 6.006,
                durationSec: 0.1 + 0.2),
        ]
        let rendition = Rendition(
            stream: .source, width: 1920, height: 1080, codecs: "avc1.640028,mp4a.40.2", frameRate: 29.97,
            bandwidth: 8_000_000, averageBandwidth: 7_900_000, initializationBytes: 100, segments: segments)
        let original = Original(
            filename: "film.mp4", contentType: "video/mp4", sizeBytes: originalBytes, checksum: try #require(digest),
            width: 1920, height: 1080, qualityLabel: "1080p")
        return Publication(durationSec: 59.98, original: original, renditions: [rendition])
    }
}

extension Catalog {
    /// For tests to which it does not matter when.
    func recordChunk(_ chunk: Chunk) async throws(CatalogError) -> Chunk {
        try await recordChunk(chunk, at: Fixture.epoch)
    }

    func setStatus(of id: VideoID, to status: Video.Status, error: String?) async throws(CatalogError) {
        try await setStatus(of: id, to: status, error: error, at: Fixture.epoch)
    }
}

extension Catalog {
    /// What the journal's writer does when all is well: everything that is due is on the nodes.
    @discardableResult
    func writeJournal(of id: VideoID, lagging: [NodeID] = []) async throws -> Range<Int> {
        let state = try #require(try await journal(of: id))
        if state.isPublicationDue {
            let first = try await claimJournal(of: id, .publication, count: 2)
            try await noteJournal(
                of: id,
                JournalWrite(
                    stream: .publication, chunks: first..<first + 2, revision: state.publicationRevision,
                    lagging: lagging))
        }
        let first = try await claimJournal(of: id, .catalog, count: 1)
        try await noteJournal(
            of: id,
            JournalWrite(
                stream: .catalog, chunks: first..<first + 1, revision: state.facts.revision, lagging: lagging))
        return first..<first + 1
    }

    func due(_ urgency: JournalUrgency = .counters) async throws -> [VideoID] {
        try await journalDue(urgency, after: 0, limit: 100).map(\.video)
    }
}

/// The code of the error that `body` throws.
func catalogError<Value>(_ body: () async throws -> Value) async -> CatalogError.Code? {
    do {
        _ = try await body()
        return nil
    } catch {
        return (error as? CatalogError)?.code
    }
}
