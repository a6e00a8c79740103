import Base
import Catalog
import Foundation
import Jobs
import Placement
import Synchronization

/// The catalog in one SQLite file, for one machine: one connection that writes, a few that read.
///
/// `journal_mode=WAL` with `synchronous=FULL`: a commit that was acknowledged survives kill -9 and loss of power.
package final class CatalogSQLite: Catalog {
    /// Connections that read at the same time.
    private static let readerCount = 4

    /// Pages of the log after which it is folded into the file: 32 MiB. A page is written there once, however often it
    /// changed in between, and under load the same few change with every commit.
    private static let logPagesMax = 8192

    private let writer: Writer
    private let readers: Readers
    private let path: String
    /// Keeps away whoever would put another file in place of this one.
    private let lock: Locked<CatalogLock?>
    /// The nodes the file knew when it was opened, for a service that must know them before it answers anything.
    package let nodesWhenOpened: [Node]

    /// Opens the file, creates it and its folder if they are not there, and brings its tables up to date.
    /// - Throws: ``CatalogError`` whose message names the file: newer than this program, damaged, or not writable.
    package convenience init(path: String) throws(CatalogError) { try self.init(path: path, steps: Schema.steps) }

    init(path: String, steps: [String]) throws(CatalogError) {
        self.path = path
        do throws(CatalogError) {
            try Self.createFolder(of: path)
            let connection = try Connection(path: path, createsFile: true)
            guard !connection.isReadOnly else { throw CatalogError(.unwritable, "the file may only be read") }
            try connection.script("PRAGMA foreign_keys = ON")
            // Looked at before anything is changed, so that the file of another program stays as it is.
            try Schema.check(connection, steps: steps)
            lock = Locked(try CatalogLock(path, .shared))
            try Self.writeAhead(connection)
            try Schema.migrate(connection, steps: steps)
            nodesWhenOpened = try NodeTable.all(connection)
            writer = Writer(connection)
            readers = try Readers(path: path, count: Self.readerCount)
        } catch {
            throw CatalogError(error.code, "the catalog '\(path)' cannot be used: \(error.message)")
        }
    }

    /// Transactions committed since the file was opened.
    package var commitCount: Int { writer.commits.load(ordering: .relaxed) }

    package func close() async {
        await readers.close()
        // Last, so that SQLite folds the log into the file and removes it.
        await writer.close()
        lock.withLock { $0 = nil }
    }

    package func watch() throws(CatalogError) -> any CatalogWatch { try WatchSQLite(path: path) }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (Connection) throws(CatalogError) -> Value
    ) async throws(CatalogError) -> Value { try await writer.write(body) }

    func read<Value: Sendable>(
        _ body: @escaping @Sendable (Connection) throws(CatalogError) -> Value
    ) async throws(CatalogError) -> Value { try await readers.read(body) }

    /// The change to WAL asks for the file alone and does not wait: another service may be about to do the same.
    private static func writeAhead(_ connection: Connection) throws(CatalogError) {
        for attempt in 1... {
            do throws(CatalogError) {
                return try connection.script(
                    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = \(logPagesMax)")
            } catch {
                guard error.code == .overloaded, attempt < Connection.busyMillisecondsMax / 10 else { throw error }
                usleep(10_000)
            }
        }
    }

    private static func createFolder(of path: String) throws(CatalogError) {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
        var missing: [URL] = []
        var ancestor = folder
        while ancestor.path != "/", !FileManager.default.fileExists(atPath: ancestor.path) {
            missing.append(ancestor)
            ancestor.deleteLastPathComponent()
        }
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        } catch {
            throw CatalogError(.unwritable, "its folder cannot be created: \(error.localizedDescription)")
        }
        // SQLite makes the names of its own files durable; the new folders on the way to them are ours to do.
        for created in missing { try CatalogFile.synchronize(created.deletingLastPathComponent().path) }
    }
}

// What each call reads and writes stands with its tables.
extension CatalogSQLite {
    package func createVideo(_ video: NewVideo) async throws(CatalogError) {
        try await write { (connection) throws(CatalogError) in try VideoTable.insert(video, connection) }
    }

    package func video(_ id: VideoID) async throws(CatalogError) -> Video? {
        try await read { (connection) throws(CatalogError) in try VideoTable.find(id, connection)?.video }
    }

    package func videos(limit: Int, offset: Int) async throws(CatalogError) -> [Video] {
        try await read { (connection) throws(CatalogError) in
            try VideoTable.list(limit: limit, offset: offset, connection)
        }
    }

    package func contents(of id: VideoID, stream: ChunkStream?) async throws(CatalogError) -> VideoContents? {
        try await read { (connection) throws(CatalogError) in
            guard let (key, video) = try VideoTable.find(id, connection) else { return nil }
            return VideoContents(
                video: video, original: try PublicationTables.original(of: key, connection),
                renditions: try PublicationTables.renditions(of: key, connection),
                ladder: try LadderTables.renditions(of: key, connection),
                chunks: try ChunkTable.all(of: key, id, stream: stream, connection))
        }
    }

    package func setStatus(
        of id: VideoID, to status: Video.Status, error: String?, at time: Timestamp
    ) async throws(CatalogError) {
        try await write { (connection) throws(CatalogError) in
            try VideoTable.setStatus(of: id, to: status, error: error, at: time, connection)
        }
    }

    package func rename(_ id: VideoID, title: String?, filename: String?) async throws(CatalogError) {
        try await write { (connection) throws(CatalogError) in
            try VideoTable.rename(id, title: title, filename: filename, connection)
        }
    }

    package func failUploads(
        silentSince time: Timestamp, error: String
    ) async throws(CatalogError) -> [VideoID] {
        try await write { (connection) throws(CatalogError) in
            try VideoTable.failUploads(silentSince: time, error: error, connection)
        }
    }

    package func publish(
        _ id: VideoID, _ publication: Publication, job: NewJob?
    ) async throws(CatalogError) {
        try await write { (connection) throws(CatalogError) in
            try PublicationTables.publish(id, publication, job: job, connection)
        }
    }

    package func addView(of id: VideoID) async throws(CatalogError) -> Int {
        try await write { (connection) throws(CatalogError) in try VideoTable.addView(of: id, connection) }
    }

    package func chunk(_ id: ChunkID) async throws(CatalogError) -> Chunk? {
        try await read { (connection) throws(CatalogError) in try ChunkTable.find(id, connection)?.chunk }
    }

    package func recordChunk(
        _ chunk: Chunk, at time: Timestamp, _ completion: @escaping @Sendable (Result<Chunk, CatalogError>) -> Void
    ) {
        writer.write(
            { (connection) throws(CatalogError) in try ChunkTable.record(chunk, at: time, connection) }, completion)
    }

    package func placementGroup(_ id: String) async throws(CatalogError) -> PlacementGroup? {
        try await read { (connection) throws(CatalogError) in try NodeTable.group(id, connection) }
    }

    package func registerNode(_ node: Node) async throws(CatalogError) {
        try await write { (connection) throws(CatalogError) in try NodeTable.register(node, connection) }
    }

    package func recordHeartbeat(
        of id: NodeID, _ report: NodeReport, at time: Timestamp
    ) async throws(CatalogError) {
        try await write { (connection) throws(CatalogError) in
            try NodeTable.recordHeartbeat(of: id, report, at: time, connection)
        }
    }

    package func nodes() async throws(CatalogError) -> [Node] {
        try await read { (connection) throws(CatalogError) in try NodeTable.all(connection) }
    }

    package func statistics() async throws(CatalogError) -> CatalogStatistics {
        try await read { (connection) throws(CatalogError) in try VideoTable.statistics(connection) }
    }

    package func deleteVideo(_ id: VideoID) async throws(CatalogError) {
        try await write { (connection) throws(CatalogError) in try DeletionTable.delete(id, connection) }
    }

    package func deletions(of node: NodeID?, limit: Int) async throws(CatalogError) -> [Deletion] {
        try await read { (connection) throws(CatalogError) in try DeletionTable.all(of: node, limit: limit, connection)
        }
    }

    package func chunks(of deletion: Deletion, limit: Int) async throws(CatalogError) -> [DeletedChunk] {
        try await read { (connection) throws(CatalogError) in
            try DeletionTable.chunks(of: deletion, limit: limit, connection)
        }
    }

    package func streamEnds(of deletion: Deletion) async throws(CatalogError) -> [ChunkStream: Int] {
        try await read { (connection) throws(CatalogError) in
            try DeletionTable.streamEnds(of: deletion, connection)
        }
    }

    package func advanceDeletion(_ deletion: Deletion, to chunk: DeletedChunk) async throws(CatalogError) {
        try await write { (connection) throws(CatalogError) in
            try DeletionTable.advance(deletion, to: chunk, connection)
        }
    }

    package func finishDeletion(_ deletion: Deletion) async throws(CatalogError) {
        try await write { (connection) throws(CatalogError) in try DeletionTable.finish(deletion, connection) }
    }

    package func journalRemains(of deletion: Deletion) async throws(CatalogError) -> [ChunkStream: Range<Int>] {
        try await read { (connection) throws(CatalogError) in
            try DeletionTable.journalRemains(of: deletion, connection)
        }
    }

    package func forgetVideo(_ id: VideoID) async throws(CatalogError) {
        try await write { (connection) throws(CatalogError) in try DeletionTable.forget(id, connection) }
    }

    package func journalDue(
        _ urgency: JournalUrgency, after position: Int64, limit: Int
    ) async throws(CatalogError) -> [JournalDue] {
        try await read { (connection) throws(CatalogError) in
            try JournalTable.due(urgency, after: position, limit: limit, connection)
        }
    }

    package func journalDueCount() async throws(CatalogError) -> Int {
        try await read { (connection) throws(CatalogError) in
            try connection.row("SELECT count(*) FROM journal WHERE urgency > 0") { $0.int(0) } ?? 0
        }
    }

    package func journalLagging(
        on node: NodeID, after position: Int64, limit: Int
    ) async throws(CatalogError) -> [JournalDue] {
        try await read { (connection) throws(CatalogError) in
            try JournalTable.lagging(on: node, after: position, limit: limit, connection)
        }
    }

    package func journal(of id: VideoID) async throws(CatalogError) -> JournalState? {
        try await read { (connection) throws(CatalogError) in try JournalTable.state(of: id, connection) }
    }

    package func claimJournal(of id: VideoID, _ stream: ChunkStream, count: Int) async throws(CatalogError) -> Int {
        try await write { (connection) throws(CatalogError) in
            try JournalTable.claim(of: id, stream, count: count, connection)
        }
    }

    package func noteJournal(of id: VideoID, _ write: JournalWrite) async throws(CatalogError) {
        try await self.write { (connection) throws(CatalogError) in
            try JournalTable.note(of: id, write, connection)
        }
    }
}
