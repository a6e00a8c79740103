import Base
import Catalog
import Jobs

/// Deleted videos whose bytes are still to go from the nodes.
enum DeletionTable {
    static func delete(_ id: VideoID, _ connection: Connection) throws(CatalogError) {
        let (key, _) = try VideoTable.require(id, connection)
        try connection.run("UPDATE videos SET status = 'deleted' WHERE key = ?", [SQLValue(key)])
        try endJob(of: id, key, connection)
        try enterDeletions(of: key, connection)
        try JournalTable.noteChange(of: key, .prompt, connection)
    }

    /// Whoever is at a unit may have stored what was never committed.
    private static func endJob(of id: VideoID, _ key: Int64, _ connection: Connection) throws(CatalogError) {
        for unit in try JobTable(connection, now: Timestamp(nanoseconds: 0)).units(of: id) {
            for lease in unit.leases {
                try JobTable(connection, now: lease.renewedAt).discard(lease.token, of: unit)
            }
        }
        try connection.run("DELETE FROM jobs WHERE video_key = ?", [SQLValue(key)])
    }

    /// Every node that may hold bytes of the video is to be rid of them.
    static func enterDeletions(of key: Int64, _ connection: Connection) throws(CatalogError) {
        // A member of the group may hold bytes that were never committed; a replica may have moved out of the group.
        try connection.run(
            """
            INSERT INTO deletions (video_key, node_key)
            SELECT ?1, m.node_key FROM group_members m JOIN videos v ON v.group_key = m.group_key WHERE v.key = ?1
            UNION SELECT ?1, r.node_key FROM replicas r JOIN chunks c ON c.key = r.chunk_key WHERE c.video_key = ?1
            """, [SQLValue(key)])
    }

    static func all(of node: NodeID?, limit: Int, _ connection: Connection) throws(CatalogError) -> [Deletion] {
        try connection.rows(
            """
            SELECT v.id, n.id FROM deletions d JOIN videos v ON v.key = d.video_key JOIN nodes n ON n.key = d.node_key
            JOIN journal j ON j.video_key = d.video_key
            WHERE j.is_marked AND (?2 IS NULL OR n.id = ?2) ORDER BY d.video_key, d.node_key LIMIT ?1
            """, [SQLValue(limit), .optional(node?.description)]
        ) { (row) throws(CatalogError) in
            Deletion(video: try row.decode(0) { VideoID($0) }, node: try row.decode(1) { NodeID($0) })
        }
    }

    static func chunks(
        of deletion: Deletion, limit: Int, _ connection: Connection
    ) throws(CatalogError) -> [DeletedChunk] {
        guard let (video, node) = try keys(of: deletion, connection) else { return [] }
        return try connection.rows(
            """
            SELECT c.id, c.key FROM deletions d JOIN chunks c ON c.video_key = d.video_key
            WHERE d.video_key = ? AND d.node_key = ? AND c.key > d.chunk_key_done ORDER BY c.key LIMIT ?
            """, [SQLValue(video), SQLValue(node), SQLValue(limit)]
        ) { (row) throws(CatalogError) in
            DeletedChunk(id: try row.decode(0) { ChunkID($0) }, position: row.integer(1))
        }
    }

    static func streamEnds(
        of deletion: Deletion, _ connection: Connection
    ) throws(CatalogError) -> [ChunkStream: Int] {
        let ends = try connection.rows(
            """
            SELECT s.stream, s.sequence_end FROM streams s JOIN videos v ON v.key = s.video_key
            WHERE v.id = ? AND v.status = 'deleted' AND NOT EXISTS (
                SELECT 1 FROM rendition_parts p WHERE p.video_key = s.video_key AND p.stream = s.stream)
            """, [SQLValue(deletion.video)]
        ) { (row) throws(CatalogError) in (try row.decode(0) { ChunkStream($0) }, row.int(1)) }
        return Dictionary(ends) { first, _ in first }
    }

    static func advance(
        _ deletion: Deletion, to chunk: DeletedChunk, _ connection: Connection
    ) throws(CatalogError) {
        guard let (video, node) = try keys(of: deletion, connection) else { return }
        try connection.run(
            """
            UPDATE deletions SET chunk_key_done = max(chunk_key_done, ?3) WHERE video_key = ?1 AND node_key = ?2
            """, [SQLValue(video), SQLValue(node), SQLValue(chunk.position)])
    }

    static func finish(_ deletion: Deletion, _ connection: Connection) throws(CatalogError) {
        guard let (video, node) = try keys(of: deletion, connection) else { return }
        // Not before those are gone who may still store something: until then the deletion is done again.
        try connection.run(
            """
            DELETE FROM deletions WHERE video_key = ?1 AND node_key = ?2
                AND NOT EXISTS (SELECT 1 FROM discards WHERE video_key = ?1 AND node_key = ?2)
            """, [SQLValue(video), SQLValue(node)])
        try connection.run(
            """
            UPDATE journal SET urgency = 2
            WHERE video_key = ?1 AND NOT EXISTS (SELECT 1 FROM deletions WHERE video_key = ?1)
            """, [SQLValue(video)])
    }

    static func journalRemains(
        of deletion: Deletion, _ connection: Connection
    ) throws(CatalogError) -> [ChunkStream: Range<Int>] {
        guard let (video, node) = try keys(of: deletion, connection) else { return [:] }
        let ranges = try connection.rows(
            """
            SELECT s.stream, ifnull(l.sequence_clean, s.sequence_clean),
                iif(s.stream = 'catalog', s.newest_begin, s.sequence_next)
            FROM journal_streams s LEFT JOIN journal_lags l
                ON l.video_key = s.video_key AND l.stream = s.stream AND l.node_key = ?2
            WHERE s.video_key = ?1
            """, [SQLValue(video), SQLValue(node)]
        ) { (row) throws(CatalogError) in
            (try row.decode(0) { ChunkStream($0) }, row.int(1)..<max(row.int(1), row.int(2)))
        }
        return Dictionary(ranges) { first, _ in first }
    }

    static func forget(_ id: VideoID, _ connection: Connection) throws(CatalogError) {
        try connection.run(
            """
            DELETE FROM videos WHERE id = ? AND status = 'deleted'
                AND NOT EXISTS (SELECT 1 FROM deletions d WHERE d.video_key = videos.key)
            """, [SQLValue(id)])
    }

    /// Keys of the deleted video and the node; nil when the deletion is done with.
    private static func keys(
        of deletion: Deletion, _ connection: Connection
    ) throws(CatalogError) -> (video: Int64, node: Int64)? {
        try connection.row(
            "SELECT v.key, n.key FROM videos v, nodes n WHERE v.id = ? AND v.status = 'deleted' AND n.id = ?",
            [SQLValue(deletion.video), SQLValue(deletion.node)]
        ) { ($0.integer(0), $0.integer(1)) }
    }
}
