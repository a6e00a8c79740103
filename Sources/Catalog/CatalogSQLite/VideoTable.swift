import Base
import Catalog

/// Videos, and the totals of their streams.
enum VideoTable {
    /// A video as it is read, with what the list shows of its streams.
    private static let select = """
        SELECT v.key, v.id, v.title, v.filename, v.duration_sec, v.status, v.error, g.id, v.creator, v.created_at,
            v.view_count, ifnull(source.chunk_count, 0), coalesce(o.size_bytes, source.size_bytes, 0),
            thumbnail.chunk_count IS NOT NULL, o.width, o.height, o.quality_label, ifnull(j.is_stopped, 0)
        FROM videos v JOIN placement_groups g ON g.key = v.group_key
        LEFT JOIN streams source ON source.video_key = v.key AND source.stream = 'source'
        LEFT JOIN streams thumbnail ON thumbnail.video_key = v.key AND thumbnail.stream = 'thumbnail'
        LEFT JOIN originals o ON o.video_key = v.key
        LEFT JOIN jobs j ON j.video_key = v.key
        WHERE v.status <> 'deleted'
        """

    static func insert(_ video: NewVideo, _ connection: Connection) throws(CatalogError) {
        let group = try NodeTable.enter(video.group, connection)
        try connection.run(
            """
            INSERT INTO videos (id, title, filename, duration_sec, status, group_key, creator, created_at)
            VALUES (?, ?, ?, ?, 'uploading', ?, ?, ?) ON CONFLICT (id) DO NOTHING
            """,
            [
                SQLValue(video.id), .text(video.title), .optional(video.filename), SQLValue(video.durationSec),
                SQLValue(group), SQLValue(Int64(bitPattern: video.creator)), SQLValue(video.createdAt.nanoseconds),
            ])
        guard connection.changeCount == 1 else {
            throw CatalogError(.conflict, "there is a video \(video.id) already")
        }
        try connection.run("INSERT INTO journal (video_key) VALUES (?)", [SQLValue(connection.lastInsertedKey)])
    }

    static func rename(
        _ id: VideoID, title: String?, filename: String?, _ connection: Connection
    ) throws(CatalogError) {
        let (key, _) = try require(id, connection)
        try connection.run(
            "UPDATE videos SET title = ifnull(?2, title), filename = ifnull(?3, filename) WHERE key = ?1",
            [SQLValue(key), .optional(title), .optional(filename)])
        try JournalTable.noteChange(of: key, .prompt, connection)
    }

    static func find(_ id: VideoID, _ connection: Connection) throws(CatalogError) -> (key: Int64, video: Video)? {
        try connection.row("\(select) AND v.id = ?", [SQLValue(id)]) { (row) throws(CatalogError) in
            (row.integer(0), try video(row))
        }
    }

    static func list(limit: Int, offset: Int, _ connection: Connection) throws(CatalogError) -> [Video] {
        try connection.rows(
            "\(select) ORDER BY v.created_at DESC, v.key DESC LIMIT ? OFFSET ?", [SQLValue(limit), SQLValue(offset)],
            video)
    }

    /// The video's key and status.
    /// - Throws: ``CatalogError`` of code `notFound`.
    static func require(_ id: VideoID, _ connection: Connection) throws(CatalogError) -> (key: Int64, Video.Status) {
        let found = try connection.row(
            "SELECT key, status FROM videos WHERE id = ? AND status <> 'deleted'", [SQLValue(id)]
        ) { (row) throws(CatalogError) in (row.integer(0), try row.decode(1, Video.Status.init(rawValue:))) }
        guard let found else { throw CatalogError(.notFound, "there is no video \(id)") }
        return found
    }

    static func setStatus(
        of id: VideoID, to status: Video.Status, error: String?, at time: Timestamp, _ connection: Connection
    ) throws(CatalogError) {
        let (key, present) = try require(id, connection)
        guard present.canBecome(status) else {
            throw CatalogError(
                .conflict, "video \(id) is \(present.rawValue) and cannot become \(status.rawValue)")
        }
        try connection.run(
            "UPDATE videos SET status = ?, error = ? WHERE key = ?",
            [.text(status.rawValue), .optional(status == .failed ? error : nil), SQLValue(key)])
        if status == .uploading {
            try noteActivity(of: key, at: time, connection)
        } else {
            try JournalTable.noteChange(of: key, .prompt, connection)
        }
    }

    /// The upload gave a sign of life. Kept to the second: more would be a page to write with every chunk.
    static func noteActivity(of key: Int64, at time: Timestamp, _ connection: Connection) throws(CatalogError) {
        try connection.run(
            "UPDATE videos SET active_at = ?2 WHERE key = ?1 AND active_at <= ?2 - 1000000000",
            [SQLValue(key), SQLValue(time.nanoseconds)])
    }

    static func failUploads(
        silentSince time: Timestamp, error: String, _ connection: Connection
    ) throws(CatalogError) -> [VideoID] {
        let failed = try connection.rows(
            """
            UPDATE videos SET status = 'failed', error = ?2
            WHERE status = 'uploading' AND max(created_at, active_at) < ?1 RETURNING key, id
            """, [SQLValue(time.nanoseconds), .text(error)]
        ) { (row) throws(CatalogError) in (key: row.integer(0), id: try row.decode(1) { VideoID($0) }) }
        for video in failed { try JournalTable.noteChange(of: video.key, .prompt, connection) }
        return failed.map(\.id)
    }

    static func addView(of id: VideoID, _ connection: Connection) throws(CatalogError) -> Int {
        let counted = try connection.row(
            """
            UPDATE videos SET view_count = view_count + 1 WHERE id = ? AND status <> 'deleted'
            RETURNING key, view_count
            """, [SQLValue(id)]
        ) { (key: $0.integer(0), count: $0.int(1)) }
        guard let counted else { throw CatalogError(.notFound, "there is no video \(id)") }
        try JournalTable.noteChange(of: counted.key, .counters, connection)
        return counted.count
    }

    static func statistics(_ connection: Connection) throws(CatalogError) -> CatalogStatistics {
        let videos = try connection.row("SELECT count(*) FROM videos WHERE status <> 'deleted'") { $0.int(0) }
        let totals = try connection.row(
            """
            SELECT ifnull(sum(s.chunk_count), 0), ifnull(sum(s.replica_count), 0)
            FROM streams s JOIN videos v ON v.key = s.video_key WHERE v.status <> 'deleted'
            """
        ) { (chunks: $0.int(0), replicas: $0.int(1)) }
        return CatalogStatistics(videos: videos ?? 0, chunks: totals?.chunks ?? 0, replicas: totals?.replicas ?? 0)
    }

    private static func video(_ row: Row) throws(CatalogError) -> Video {
        Video(
            id: try row.decode(1) { VideoID($0) }, title: row.text(2), filename: row.textIfAny(3),
            durationSec: row.real(4), status: try row.decode(5, Video.Status.init(rawValue:)),
            error: row.textIfAny(6), group: row.text(7), creator: UInt64(bitPattern: row.integer(8)),
            createdAt: Timestamp(nanoseconds: row.integer(9)), viewCount: row.int(10), totalChunks: row.int(11),
            sizeBytes: row.int(12), hasThumbnail: row.int(13) != 0,
            picture: row.isNull(14)
                ? nil : Video.Picture(width: row.int(14), height: row.int(15), qualityLabel: row.text(16)),
            isStopped: row.int(17) != 0)
    }
}
