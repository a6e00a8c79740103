import Base
import Catalog
import Placement

/// What of each video the storage nodes have, and what is due.
enum JournalTable {
    // What changes a video calls one of these in its own transaction.

    static func noteChange(
        of video: Int64, _ urgency: JournalUrgency, _ connection: Connection
    ) throws(CatalogError) {
        try connection.run(
            "UPDATE journal SET revision = revision + 1, urgency = max(urgency, ?2) WHERE video_key = ?1",
            [SQLValue(video), SQLValue(urgency.rawValue)])
    }

    static func notePublication(
        of video: Int64, _ urgency: JournalUrgency, _ connection: Connection
    ) throws(CatalogError) {
        try noteChange(of: video, urgency, connection)
        try connection.run(
            "UPDATE journal SET publication_revision = publication_revision + 1 WHERE video_key = ?",
            [SQLValue(video)])
    }

    static func due(
        _ urgency: JournalUrgency, after position: Int64, limit: Int, _ connection: Connection
    ) throws(CatalogError) -> [JournalDue] {
        try connection.rows(
            """
            SELECT v.id, j.video_key FROM journal j JOIN videos v ON v.key = j.video_key
            WHERE j.urgency > 0 AND j.urgency >= ?1 AND j.video_key > ?2 ORDER BY j.video_key LIMIT ?3
            """, [SQLValue(max(urgency, .counters).rawValue), SQLValue(position), SQLValue(limit)], due)
    }

    static func lagging(
        on node: NodeID, after position: Int64, limit: Int, _ connection: Connection
    ) throws(CatalogError) -> [JournalDue] {
        try connection.rows(
            """
            SELECT DISTINCT v.id, l.video_key FROM journal_lags l JOIN videos v ON v.key = l.video_key
            WHERE l.node_key = (SELECT key FROM nodes WHERE id = ?1) AND l.video_key > ?2
            ORDER BY l.video_key LIMIT ?3
            """, [SQLValue(node), SQLValue(position), SQLValue(limit)], due)
    }

    static func state(of id: VideoID, _ connection: Connection) throws(CatalogError) -> JournalState? {
        guard let row = try row(of: id, connection) else { return nil }
        let members = try NodeTable.members(ofGroup: row.group, connection)
        let facts = JournalFacts(
            id: id, title: row.title, filename: row.filename, durationSec: row.durationSec, status: row.status,
            error: row.error, group: try NodeTable.group(key: row.group, connection), creator: row.creator,
            createdAt: row.createdAt, viewCount: row.viewCount, streams: try extents(of: row.key, connection),
            revision: row.revision)
        let lags = try lags(of: row.key, connection)
        let isPublicationWanted = row.isPublicationDue || lags.contains { $0.stream == .publication }
        return JournalState(
            facts: facts, members: members, urgency: row.urgency, publicationRevision: row.publicationRevision,
            isPublicationDue: row.isPublicationDue,
            publication: isPublicationWanted ? try publication(of: row, connection) : nil,
            ownsFirstBallot: row.ownsFirstBallot, records: try records(of: row.key, connection), lags: lags,
            isClosing: row.isClosing)
    }

    static func claim(
        of id: VideoID, _ stream: ChunkStream, count: Int, _ connection: Connection
    ) throws(CatalogError) -> Int {
        let next = try connection.row(
            """
            INSERT INTO journal_streams (video_key, stream, sequence_next)
            SELECT key, ?2, ?3 FROM videos WHERE id = ?1
            ON CONFLICT (video_key, stream) DO UPDATE SET sequence_next = sequence_next + ?3
            RETURNING sequence_next
            """, [SQLValue(id), SQLValue(stream), SQLValue(count)]
        ) { $0.int(0) }
        guard let next else { throw CatalogError(.notFound, "there is no video \(id)") }
        return next - count
    }

    static func note(of id: VideoID, _ write: JournalWrite, _ connection: Connection) throws(CatalogError) {
        let key = try connection.row("SELECT key FROM videos WHERE id = ?", [SQLValue(id)]) { $0.integer(0) }
        guard let key else { return }
        try noteLags(write, of: key, connection)
        try connection.run(
            """
            UPDATE journal_streams SET newest_begin = ?3, newest_end = ?4, sequence_clean = ?3
            WHERE video_key = ?1 AND stream = ?2
            """,
            [
                SQLValue(key), SQLValue(write.stream), SQLValue(write.chunks.lowerBound),
                SQLValue(write.chunks.upperBound),
            ])
        if write.stream == .publication {
            try connection.run(
                "UPDATE journal SET publication_written = max(publication_written, ?2) WHERE video_key = ?1",
                [SQLValue(key), SQLValue(write.revision)])
        } else {
            // A deletion is a change, so a record of the last revision says that the video is deleted if it is.
            // Where its nodes have deleted everything else meanwhile, this record is the next thing to go.
            try connection.run(
                """
                UPDATE journal SET
                    urgency = iif(v.status = 'deleted' AND NOT EXISTS (
                        SELECT 1 FROM deletions d WHERE d.video_key = v.key), 2, 0),
                    is_marked = v.status = 'deleted'
                FROM videos v WHERE v.key = journal.video_key AND video_key = ?1 AND revision = ?2
                """, [SQLValue(key), SQLValue(write.revision)])
        }
    }

    /// Who lacked an earlier record keeps the place from which on it is to be rid of old ones.
    private static func noteLags(
        _ write: JournalWrite, of video: Int64, _ connection: Connection
    ) throws(CatalogError) {
        for node in write.lagging {
            try connection.run(
                """
                INSERT INTO journal_lags (node_key, video_key, stream, sequence_clean)
                SELECT n.key, s.video_key, s.stream, s.sequence_clean FROM nodes n, journal_streams s
                WHERE n.id = ?1 AND s.video_key = ?2 AND s.stream = ?3
                ON CONFLICT DO NOTHING
                """, [SQLValue(node), SQLValue(video), SQLValue(write.stream)])
        }
        let lagging = Set(write.lagging)
        for lag in try lags(of: video, connection) where lag.stream == write.stream && !lagging.contains(lag.node) {
            try connection.run(
                """
                DELETE FROM journal_lags
                WHERE node_key = (SELECT key FROM nodes WHERE id = ?1) AND video_key = ?2 AND stream = ?3
                """, [SQLValue(lag.node), SQLValue(video), SQLValue(write.stream)])
        }
    }

    private static func due(_ row: Row) throws(CatalogError) -> JournalDue {
        JournalDue(video: try row.decode(0) { VideoID($0) }, position: row.integer(1))
    }
}

// The parts of a state.
extension JournalTable {
    private struct VideoRow {
        let key: Int64
        let title: String
        let filename: String?
        let durationSec: Double
        let status: Video.Status?
        let error: String?
        let group: Int64
        let creator: UInt64
        let createdAt: Timestamp
        let viewCount: Int
        let revision: Int
        let urgency: JournalUrgency
        let publicationRevision: Int
        let isPublicationDue: Bool
        let ownsFirstBallot: Bool
        let isClosing: Bool
    }

    private static func row(of id: VideoID, _ connection: Connection) throws(CatalogError) -> VideoRow? {
        try connection.row(
            """
            SELECT v.key, v.title, v.filename, v.duration_sec, v.status, v.error, v.group_key, v.creator, v.created_at,
                v.view_count, j.revision, j.urgency, j.publication_revision,
                j.publication_written < j.publication_revision, j.owns_first_ballot,
                v.status = 'deleted' AND j.is_marked
                    AND NOT EXISTS (SELECT 1 FROM deletions d WHERE d.video_key = v.key)
            FROM videos v JOIN journal j ON j.video_key = v.key WHERE v.id = ?
            """, [SQLValue(id)]
        ) { (row) throws(CatalogError) in
            let isDeleted = row.text(4) == "deleted"
            return VideoRow(
                key: row.integer(0), title: row.text(1), filename: row.textIfAny(2), durationSec: row.real(3),
                status: isDeleted ? nil : try row.decode(4, Video.Status.init(rawValue:)), error: row.textIfAny(5),
                group: row.integer(6), creator: UInt64(bitPattern: row.integer(7)),
                createdAt: Timestamp(nanoseconds: row.integer(8)), viewCount: row.int(9), revision: row.int(10),
                urgency: JournalUrgency(rawValue: row.int(11)) ?? .prompt, publicationRevision: row.int(12),
                isPublicationDue: row.int(13) != 0, ownsFirstBallot: row.int(14) != 0, isClosing: row.int(15) != 0)
        }
    }

    private static func publication(
        of row: VideoRow, _ connection: Connection
    ) throws(CatalogError) -> Publication? {
        guard let original = try PublicationTables.original(of: row.key, connection) else { return nil }
        return Publication(
            durationSec: row.durationSec, original: original,
            renditions: try PublicationTables.renditions(of: row.key, connection),
            ladder: try LadderTables.renditions(of: row.key, connection))
    }

    private static func extents(of video: Int64, _ connection: Connection) throws(CatalogError) -> [StreamExtent] {
        try connection.rows(
            """
            SELECT stream, chunk_count, size_bytes, sequence_end FROM streams WHERE video_key = ? ORDER BY stream
            """, [SQLValue(video)]
        ) { (row) throws(CatalogError) in
            StreamExtent(
                stream: try row.decode(0) { ChunkStream($0) }, chunkCount: row.int(1), sizeBytes: row.int(2),
                sequenceEnd: row.int(3))
        }
    }

    private static func records(
        of video: Int64, _ connection: Connection
    ) throws(CatalogError) -> [ChunkStream: JournalRecords] {
        let streams = try connection.rows(
            """
            SELECT stream, sequence_next, newest_begin, newest_end, sequence_clean
            FROM journal_streams WHERE video_key = ?
            """, [SQLValue(video)]
        ) { (row) throws(CatalogError) in
            (
                try row.decode(0) { ChunkStream($0) },
                JournalRecords(
                    next: row.int(1), newest: row.int(2)..<max(row.int(2), row.int(3)), clean: row.int(4))
            )
        }
        return Dictionary(streams) { first, _ in first }
    }

    private static func lags(of video: Int64, _ connection: Connection) throws(CatalogError) -> [JournalLag] {
        try connection.rows(
            """
            SELECT n.id, l.stream, l.sequence_clean FROM journal_lags l JOIN nodes n ON n.key = l.node_key
            WHERE l.video_key = ? ORDER BY n.id, l.stream
            """, [SQLValue(video)]
        ) { (row) throws(CatalogError) in
            JournalLag(
                node: try row.decode(0) { NodeID($0) }, stream: try row.decode(1) { ChunkStream($0) }, clean: row.int(2)
            )
        }
    }
}
