import Base
import Catalog
import Placement

/// Makes a catalog anew, in a file of its own, from what is found on the storage nodes in whatever order.
///
/// A video's rows are entered when anything of it is first seen, and what its journal says afterwards
/// (``restore(_:)``); a video of which no journal says anything is taken out again. The file is whole
/// when ``finish()`` has returned, and durable when the caller has synchronized it: until then it is to be thrown away.
package final class CatalogRestorer: Sendable {
    private let writer: Writer

    /// - Throws: ``CatalogError`` when the file is there already, or cannot be made.
    package init(path: String) throws(CatalogError) {
        let connection = try Connection(path: path, createsFile: true)
        guard try Schema.check(connection, steps: Schema.steps) == 0 else {
            throw CatalogError(.conflict, "there is a catalog at '\(path)' already")
        }
        // A file that is thrown away when the machine fails does not have to survive it on the way.
        try connection.script("PRAGMA foreign_keys = ON; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF")
        try Schema.migrate(connection, steps: Schema.steps)
        try connection.script(RestoringTables.script)
        writer = Writer(connection)
    }

    package func enter(_ nodes: [Node]) async throws(CatalogError) {
        try await writer.write { (connection) throws(CatalogError) in
            for node in nodes { try NodeTable.register(node, connection) }
        }
    }

    /// Enters a batch, all at once. A chunk whose place in its stream is taken becomes a problem.
    package func enter(
        _ chunks: [RestoredChunk], _ sightings: [JournalSighting], _ problems: [ChunkProblem]
    ) async throws(CatalogError) {
        try await writer.write { (connection) throws(CatalogError) in
            for chunk in chunks { try RestoringTables.enter(chunk, connection) }
            for sighting in sightings { try RestoringTables.enter(sighting, connection) }
            for problem in problems { try RestoringTables.enter(problem, connection) }
        }
    }

    /// Videos of which anything was entered, in an order that does not change.
    package func videos(after position: Int64, limit: Int) async throws(CatalogError) -> [SeenVideo] {
        try await writer.write { (connection) throws(CatalogError) in
            try RestoringTables.videos(after: position, limit: limit, connection)
        }
    }

    /// Chunks of a journal stream that somebody has the bytes of, with these sequence numbers, the newest first.
    package func sightings(
        of id: VideoID, _ stream: ChunkStream, in sequences: Range<Int>, limit: Int
    ) async throws(CatalogError) -> [JournalSighting] {
        try await writer.write { (connection) throws(CatalogError) in
            try RestoringTables.sightings(of: id, stream, in: sequences, limit: limit, connection)
        }
    }

    /// - Returns: what is missing of the video's streams.
    package func restore(_ video: RestoredVideo) async throws(CatalogError) -> [StreamGap] {
        try await writer.write { (connection) throws(CatalogError) in
            try RestoringTables.restore(video, connection)
        }
    }

    package func drop(_ id: VideoID) async throws(CatalogError) {
        try await writer.write { (connection) throws(CatalogError) in
            try connection.run("DELETE FROM videos WHERE id = ?", [SQLValue(id)])
        }
    }

    /// Completes the file: afterwards it is a catalog like any other.
    package func finish() async throws(CatalogError) -> CatalogStatistics {
        let statistics = try await writer.write { (connection) throws(CatalogError) in
            try RestoringTables.requireSound(connection)
            return try VideoTable.statistics(connection)
        }
        await writer.close()
        return statistics
    }

    /// Lets go of the file.
    package func abandon() async { await writer.close() }
}
