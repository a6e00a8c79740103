import Base
import Catalog
import Jobs
import Placement

/// What a catalog that is made anew needs beside its own tables, for as long as it is made: temporary tables, which
/// SQLite keeps in a file of its own and removes by itself.
enum RestoringTables {
    /// How many missing chunks of a stream are named.
    private static let missingMax = 10

    static let script = """
        CREATE TEMP TABLE sightings (
            video_key INTEGER NOT NULL,
            stream TEXT NOT NULL,
            sequence INTEGER NOT NULL,
            checksum BLOB NOT NULL,
            is_chosen INTEGER NOT NULL,
            holders TEXT NOT NULL,  -- ids parted by spaces
            PRIMARY KEY (video_key, stream, sequence)
        ) STRICT, WITHOUT ROWID;

        -- Of all chunks of a journal stream, also of those that were deleted.
        CREATE TEMP TABLE sequences (
            video_key INTEGER NOT NULL,
            stream TEXT NOT NULL,
            held_min INTEGER,
            seen_max INTEGER NOT NULL,
            PRIMARY KEY (video_key, stream)
        ) STRICT, WITHOUT ROWID;

        CREATE TEMP TABLE problems (
            video_key INTEGER NOT NULL,
            stream TEXT NOT NULL,
            sequence INTEGER NOT NULL,
            reason TEXT NOT NULL,
            PRIMARY KEY (video_key, stream, sequence)
        ) STRICT, WITHOUT ROWID;
        """

    static func enter(_ restored: RestoredChunk, _ connection: Connection) throws(CatalogError) {
        let chunk = restored.chunk
        let video = try key(of: chunk.video, restored.group, connection)
        do throws(CatalogError) {
            try ChunkTable.enter(chunk, into: video, connection)
        } catch {
            guard error.code == .conflict else { throw error }
            try enter(
                ChunkProblem(
                    chunk: chunk.id, video: chunk.video, group: restored.group, stream: chunk.stream,
                    sequence: chunk.sequence, reason: "two chunks were chosen for one place"), connection)
        }
    }

    static func enter(_ sighting: JournalSighting, _ connection: Connection) throws(CatalogError) {
        let video = try key(of: sighting.video, sighting.group, connection)
        let isHeld = !sighting.holders.isEmpty
        try connection.run(
            """
            INSERT INTO sequences VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET
                held_min = min(ifnull(held_min, ?3), ifnull(?3, held_min)), seen_max = max(seen_max, ?4)
            """,
            [
                SQLValue(video), SQLValue(sighting.stream), isHeld ? SQLValue(sighting.sequence) : .null,
                SQLValue(sighting.sequence),
            ])
        guard isHeld else { return }
        try connection.run(
            "INSERT OR REPLACE INTO sightings VALUES (?, ?, ?, ?, ?, ?)",
            [
                SQLValue(video), SQLValue(sighting.stream), SQLValue(sighting.sequence),
                .blob(sighting.checksum.withUnsafeBytes(Array.init)), SQLValue(sighting.isChosen ? 1 : 0),
                .text(sighting.holders.map(\.description).joined(separator: " ")),
            ])
    }

    static func enter(_ problem: ChunkProblem, _ connection: Connection) throws(CatalogError) {
        let video = try key(of: problem.video, problem.group, connection)
        try connection.run(
            "INSERT OR REPLACE INTO problems VALUES (?, ?, ?, ?)",
            [
                SQLValue(video), SQLValue(problem.stream), SQLValue(problem.sequence),
                .text("\(problem.chunk): \(problem.reason)"),
            ])
    }

    static func videos(
        after position: Int64, limit: Int, _ connection: Connection
    ) throws(CatalogError) -> [SeenVideo] {
        try connection.rows(
            """
            SELECT v.id, v.key, v.group_key,
                (SELECT ifnull(sum(s.chunk_count), 0) FROM streams s WHERE s.video_key = v.key),
                (SELECT count(*) FROM problems p WHERE p.video_key = v.key)
            FROM videos v WHERE v.key > ?1 ORDER BY v.key LIMIT ?2
            """, [SQLValue(position), SQLValue(limit)]
        ) { (row) throws(CatalogError) in
            return SeenVideo(
                id: try row.decode(0) { VideoID($0) }, position: row.integer(1),
                group: try NodeTable.group(key: row.integer(2), connection), chunkCount: row.int(3),
                problemCount: row.int(4))
        }
    }

    static func sightings(
        of id: VideoID, _ stream: ChunkStream, in sequences: Range<Int>, limit: Int, _ connection: Connection
    ) throws(CatalogError) -> [JournalSighting] {
        guard let found = try find(id, connection) else { return [] }
        return try connection.rows(
            """
            SELECT sequence, checksum, is_chosen, holders FROM sightings
            WHERE video_key = ?1 AND stream = ?2 AND sequence >= ?3 AND sequence < ?4
            ORDER BY sequence DESC LIMIT ?5
            """,
            [
                SQLValue(found.key), SQLValue(stream), SQLValue(sequences.lowerBound),
                SQLValue(sequences.upperBound), SQLValue(limit),
            ]
        ) { (row) throws(CatalogError) in
            guard let checksum = row.withBlob(1, SHA256Digest.init(bytes:)) else {
                throw CatalogError(.corrupt, "a checksum that was entered is none")
            }
            return JournalSighting(
                video: id, group: found.group, stream: stream, sequence: row.int(0), checksum: checksum,
                isChosen: row.int(2) != 0,
                holders: row.text(3).split(separator: " ").compactMap { NodeID(String($0)) })
        }
    }

    static func requireSound(_ connection: Connection) throws(CatalogError) {
        let violations = try connection.rows("PRAGMA foreign_key_check") { $0.text(0) }
        guard violations.isEmpty else {
            throw CatalogError(.database, "the catalog that was made contradicts itself in \(violations[0])")
        }
    }

    /// The video's key; where nothing of it was seen before, it is entered as one of which nothing is known.
    private static func key(
        of id: VideoID, _ group: PlacementGroup, _ connection: Connection
    ) throws(CatalogError) -> Int64 {
        if let found = try connection.row("SELECT key FROM videos WHERE id = ?", [SQLValue(id)], { $0.integer(0) }) {
            return found
        }
        for member in group.members {
            // Its address is not known yet.
            try connection.run(
                """
                INSERT INTO nodes (id, url, version, last_heartbeat, disk_usage_percent, chunk_count, corrupt_chunks)
                VALUES (?, '', '', 0, 0, 0, '') ON CONFLICT DO NOTHING
                """, [SQLValue(member)])
        }
        try connection.run(
            """
            INSERT INTO videos (id, title, duration_sec, status, group_key, creator, created_at)
            VALUES (?, '', 0, 'uploading', ?, 0, 0)
            """, [SQLValue(id), SQLValue(try NodeTable.enter(group, connection))])
        return connection.lastInsertedKey
    }

    private static func find(
        _ id: VideoID, _ connection: Connection
    ) throws(CatalogError) -> (key: Int64, group: PlacementGroup)? {
        try connection.row("SELECT key, group_key FROM videos WHERE id = ?", [SQLValue(id)]) {
            (row) throws(CatalogError) in
            (
                row.integer(0),
                try NodeTable.group(key: row.integer(1), connection)
            )
        }
    }
}

// A video's rows from what its journal says.
extension RestoringTables {
    static func restore(_ video: RestoredVideo, _ connection: Connection) throws(CatalogError) -> [StreamGap] {
        let facts = video.facts
        guard let (key, _) = try find(facts.id, connection) else {
            throw CatalogError(.notFound, "nothing of video \(facts.id) was seen")
        }
        for (node, url) in video.urls {
            try connection.run("UPDATE nodes SET url = ? WHERE id = ? AND url = ''", [.text(url), SQLValue(node)])
        }
        try connection.run(
            """
            UPDATE videos SET title = ?2, filename = ?3, duration_sec = ?4, status = ?5, error = ?6, creator = ?7,
                created_at = ?8, view_count = ?9 WHERE key = ?1
            """,
            [
                SQLValue(key), .text(facts.title), .optional(facts.filename), SQLValue(facts.durationSec),
                .text(facts.status?.rawValue ?? "deleted"), .optional(facts.error),
                SQLValue(Int64(bitPattern: facts.creator)), SQLValue(facts.createdAt.nanoseconds),
                SQLValue(facts.viewCount),
            ])
        if let publication = video.publication { try PublicationTables.enter(publication, of: key, connection) }
        let ladder = video.publication?.ladder ?? []
        if let job = video.job {
            try restoreJob(job, ladder, of: facts.id, key, connection)
        } else {
            try LadderTables.enter(ladder, in: key, connection)
        }
        try restoreJournal(video, of: key, connection)
        switch facts.status {
        case nil:
            try DeletionTable.enterDeletions(of: key, connection)
            return []
        // Not committed any more when it failed, though the nodes had agreed on it.
        case .failed: try removeUnrecorded(facts, of: key, connection)
        case .uploading, .active: break
        }
        return try gaps(facts, of: key, connection)
    }

    /// Renditions that are whole stay, and so do the parts of others that the plan's units would make again just so.
    /// Everything else is made anew.
    private static func restoreJob(
        _ new: NewJob, _ ladder: [LadderRendition], of id: VideoID, _ video: Int64, _ connection: Connection
    ) throws(CatalogError) {
        var done: [Int: Set<RungLabel>] = [:]
        var kept: [LadderRendition] = []
        for rendition in ladder {
            let own = new.plan.units.indices.filter { new.plan.units[$0].task.rungs.contains(rendition.rung.label) }
            let matching = own.filter { index in
                rendition.partCount == own.count && rendition.parts.contains { $0.covers(new.plan.units[index].task) }
            }
            guard rendition.isComplete || matching.count == rendition.parts.count else { continue }
            kept.append(rendition)
            for index in rendition.isComplete ? own : matching {
                done[index, default: []].insert(rendition.rung.label)
            }
        }
        try LadderTables.enter(kept, in: video, connection)
        try JobOperations.restore(new, done: done, of: id, video, connection)
        let table = JobTable(connection, now: new.createdAt)
        let parts = Set(kept.flatMap(\.parts).map(\.stream))
        let streams = try connection.rows("SELECT stream FROM streams WHERE video_key = ?", [SQLValue(video)]) {
            (row) throws(CatalogError) in try row.decode(0) { ChunkStream($0) }
        }
        for stream in streams where stream.isAttempt && !parts.contains(stream) { try table.discard(stream, of: id) }
    }

    private static func restoreJournal(
        _ video: RestoredVideo, of key: Int64, _ connection: Connection
    ) throws(CatalogError) {
        let isWhole = video.record.isChosen && (video.publicationRecord?.isChosen ?? true)
        let hasPublication = video.publication != nil
        try connection.run(
            """
            INSERT INTO journal (video_key, revision, urgency, publication_revision, publication_written, is_marked,
                owns_first_ballot) VALUES (?, ?, ?, ?, ?, ?, 0)
            """,
            [
                SQLValue(key), SQLValue(video.facts.revision), SQLValue(isWhole ? 0 : JournalUrgency.prompt.rawValue),
                SQLValue(hasPublication ? 1 : 0), SQLValue(hasPublication && isWhole ? 1 : 0),
                SQLValue(video.facts.isDeleted && isWhole ? 1 : 0),
            ])
        try restoreStream(.catalog, video.record, video.facts.group, of: key, connection)
        try restoreStream(.publication, video.publicationRecord, video.facts.group, of: key, connection)
    }

    private static func restoreStream(
        _ stream: ChunkStream, _ record: RestoredRecord?, _ group: PlacementGroup, of key: Int64,
        _ connection: Connection
    ) throws(CatalogError) {
        let newest = record?.chunks ?? 0..<0
        try connection.run(
            """
            INSERT INTO journal_streams
                (video_key, stream, sequence_next, newest_begin, newest_end, sequence_clean)
            SELECT video_key, stream, seen_max + 1, ?3, ?4, ifnull(held_min, seen_max + 1)
            FROM sequences WHERE video_key = ?1 AND stream = ?2
            """, [SQLValue(key), SQLValue(stream), SQLValue(newest.lowerBound), SQLValue(newest.upperBound)])
        guard let record else { return }
        // Who did not answer may have anything.
        for node in group.members where !record.holders.contains(node) {
            try connection.run(
                """
                INSERT INTO journal_lags (node_key, video_key, stream, sequence_clean)
                SELECT n.key, s.video_key, s.stream, s.sequence_clean FROM nodes n, journal_streams s
                WHERE n.id = ?1 AND s.video_key = ?2 AND s.stream = ?3
                """, [SQLValue(node), SQLValue(key), SQLValue(stream)])
        }
    }

    private static func removeUnrecorded(
        _ facts: JournalFacts, of key: Int64, _ connection: Connection
    ) throws(CatalogError) {
        let streams = try connection.rows("SELECT stream FROM streams WHERE video_key = ?", [SQLValue(key)]) {
            (row) throws(CatalogError) in try row.decode(0) { ChunkStream($0) }
        }
        for stream in streams {
            let end = facts.streams.first { $0.stream == stream }?.sequenceEnd ?? 0
            try connection.run(
                "DELETE FROM chunks WHERE video_key = ?1 AND stream = ?2 AND sequence >= ?3",
                [SQLValue(key), SQLValue(stream), SQLValue(end)])
            try connection.run(
                "DELETE FROM streams WHERE video_key = ?1 AND stream = ?2", [SQLValue(key), SQLValue(stream)])
            try connection.run(
                """
                INSERT INTO streams (video_key, stream, chunk_count, replica_count, size_bytes, sequence_end)
                SELECT video_key, stream, count(*), sum((SELECT count(*) FROM replicas r WHERE r.chunk_key = c.key)),
                    sum(size_bytes), max(sequence) + 1
                FROM chunks c WHERE video_key = ?1 AND stream = ?2 GROUP BY video_key, stream
                """, [SQLValue(key), SQLValue(stream)])
        }
    }

    private static func gaps(
        _ facts: JournalFacts, of key: Int64, _ connection: Connection
    ) throws(CatalogError) -> [StreamGap] {
        var gaps: [StreamGap] = []
        for expected in facts.streams where try isNeeded(expected.stream, of: key, connection) {
            let found = try connection.row(
                "SELECT count(*) FROM chunks WHERE video_key = ? AND stream = ? AND sequence < ?",
                [SQLValue(key), SQLValue(expected.stream), SQLValue(expected.sequenceEnd)]
            ) { $0.int(0) }
            guard let found, found < expected.chunkCount else { continue }
            gaps.append(
                StreamGap(
                    stream: expected.stream, chunksFound: found, chunksExpected: expected.chunkCount,
                    missing: try missing(expected, of: key, connection),
                    reasons: try reasons(expected.stream, of: key, connection)))
        }
        return gaps
    }

    /// What attempts that came to nothing have stored may be gone already.
    private static func isNeeded(
        _ stream: ChunkStream, of key: Int64, _ connection: Connection
    ) throws(CatalogError) -> Bool {
        guard stream.isAttempt else { return true }
        return try connection.row(
            "SELECT 1 FROM rendition_parts WHERE video_key = ? AND stream = ?", [SQLValue(key), SQLValue(stream)]
        ) { $0.int(0) } != nil
    }

    private static func missing(
        _ expected: StreamExtent, of key: Int64, _ connection: Connection
    ) throws(CatalogError) -> [Int] {
        try connection.rows(
            """
            WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ?3)
            SELECT n FROM numbers WHERE NOT EXISTS (
                SELECT 1 FROM chunks c WHERE c.video_key = ?1 AND c.stream = ?2 AND c.sequence = n)
            LIMIT ?4
            """,
            [SQLValue(key), SQLValue(expected.stream), SQLValue(expected.sequenceEnd), SQLValue(missingMax)]
        ) { $0.int(0) }
    }

    private static func reasons(
        _ stream: ChunkStream, of key: Int64, _ connection: Connection
    ) throws(CatalogError) -> [String] {
        try connection.rows(
            "SELECT reason FROM problems WHERE video_key = ? AND stream = ? ORDER BY sequence LIMIT ?",
            [SQLValue(key), SQLValue(stream), SQLValue(missingMax)]
        ) { $0.text(0) }
    }
}

extension RenditionPart {
    /// Whether it is what the task would make.
    fileprivate func covers(_ task: UnitTask) -> Bool {
        guard number == task.part, let first = segments.first, let last = segments.last else { return false }
        return task.kind == .audio
            || abs(first.startSec - task.startSec) < 6 && abs(last.startSec + last.durationSec - task.endSec) < 6
    }
}
