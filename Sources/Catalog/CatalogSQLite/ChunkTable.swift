import Base
import Catalog
import ChunkPaxos

/// Chunks and their replicas.
enum ChunkTable {
    private static let columns =
        "c.key, c.id, c.stream, c.sequence, c.size_bytes, c.checksum, c.redundancy_mode, c.start_sec, c.duration_sec"

    static func find(_ id: ChunkID, _ connection: Connection) throws(CatalogError) -> (key: Int64, chunk: Chunk)? {
        try connection.row(
            """
            SELECT \(columns), v.id FROM chunks c JOIN videos v ON v.key = c.video_key
            WHERE c.id = ? AND v.status <> 'deleted'
            """, [SQLValue(id)]
        ) { (row) throws(CatalogError) in
            let key = row.integer(0)
            let replicas = try replicas(of: key, connection)
            return (key, try chunk(row, video: try row.decode(9) { VideoID($0) }, replicas: replicas))
        }
    }

    /// Every chunk of a video, or of one of its streams: one query for chunks, one for replicas.
    static func all(
        of video: Int64, _ id: VideoID, stream: ChunkStream?, _ connection: Connection
    ) throws(CatalogError) -> [Chunk] {
        let filter = stream == nil ? "" : " AND c.stream = ?2"
        let values = [SQLValue(video)] + (stream.map { [SQLValue($0)] } ?? [])
        var holders: [Int64: [NodeID]] = [:]
        let nodes = try NodeTable.presentByKey(connection)
        try connection.each(
            """
            SELECT r.chunk_key, r.node_key, r.disk_key FROM chunks c JOIN replicas r ON r.chunk_key = c.key
            WHERE c.video_key = ?1\(filter)
            """, values
        ) { (row) throws(CatalogError) in
            if let node = nodes[row.integer(1)], node.has(row.integer(2)) {
                holders[row.integer(0), default: []].append(node.id)
            }
        }
        return try connection.rows(
            "SELECT \(columns) FROM chunks c WHERE c.video_key = ?1\(filter) ORDER BY c.stream, c.sequence", values
        ) { (row) throws(CatalogError) in
            try chunk(row, video: id, replicas: holders[row.integer(0)]?.sorted() ?? [])
        }
    }

    static func record(
        _ chunk: Chunk, at time: Timestamp, _ connection: Connection
    ) throws(CatalogError) -> Chunk {
        let (video, status) = try VideoTable.require(chunk.video, connection)
        guard status != .failed else {
            throw CatalogError(.conflict, "video \(chunk.video) has failed and takes no more chunks")
        }
        if status == .uploading { try VideoTable.noteActivity(of: video, at: time, connection) }
        if let recorded = try enterNew(chunk, into: video, connection) {
            if status == .active { try JournalTable.noteChange(of: video, .counters, connection) }
            return recorded
        }
        guard let (key, present) = try find(chunk.id, connection) else { throw placeTaken(chunk) }
        guard present.isSameValue(as: chunk) else {
            throw CatalogError(.conflict, "chunk \(chunk.id) is recorded with another value")
        }
        try addReplicas(chunk.replicas, to: key, of: chunk, in: video, connection)
        guard let recorded = try find(chunk.id, connection)?.chunk else {
            throw CatalogError(.database, "chunk \(chunk.id) was recorded and is not there")
        }
        return recorded
    }

    /// Enters a chunk that is not there.
    static func enter(_ chunk: Chunk, into video: Int64, _ connection: Connection) throws(CatalogError) {
        guard try enterNew(chunk, into: video, connection) != nil else { throw placeTaken(chunk) }
    }

    /// - Returns: nil when the id, or the place in the stream, is taken.
    private static func enterNew(
        _ chunk: Chunk, into video: Int64, _ connection: Connection
    ) throws(CatalogError) -> Chunk? {
        try connection.run(
            """
            INSERT INTO chunks (id, video_key, stream, sequence, size_bytes, checksum, redundancy_mode, start_sec,
                duration_sec)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
            """,
            [
                SQLValue(chunk.id), SQLValue(video), SQLValue(chunk.stream), SQLValue(chunk.sequence),
                SQLValue(chunk.sizeBytes), .blob(chunk.checksum.withUnsafeBytes(Array.init)),
                .text(chunk.redundancyMode.rawValue), SQLValue(chunk.startSec), SQLValue(chunk.durationSec),
            ])
        guard connection.changeCount == 1 else { return nil }
        let key = connection.lastInsertedKey
        let replicas = Set(chunk.replicas).sorted()
        for node in replicas where try !addReplica(on: node, to: key, connection) { throw NodeTable.unknown(node) }
        try connection.run(
            """
            INSERT INTO streams (video_key, stream, chunk_count, replica_count, size_bytes, sequence_end)
            VALUES (?1, ?2, 1, ?5, ?3, ?4)
            ON CONFLICT (video_key, stream) DO UPDATE SET chunk_count = chunk_count + 1,
                replica_count = replica_count + ?5, size_bytes = size_bytes + ?3, sequence_end = max(sequence_end, ?4)
            """,
            [
                SQLValue(video), SQLValue(chunk.stream), SQLValue(chunk.sizeBytes), SQLValue(chunk.sequence + 1),
                SQLValue(replicas.count),
            ])
        return Chunk(
            id: chunk.id, video: chunk.video, stream: chunk.stream, sequence: chunk.sequence,
            sizeBytes: chunk.sizeBytes, checksum: chunk.checksum, redundancyMode: chunk.redundancyMode,
            startSec: chunk.startSec, durationSec: chunk.durationSec, replicas: replicas)
    }

    private static func placeTaken(_ chunk: Chunk) -> CatalogError {
        CatalogError(
            .conflict, "video \(chunk.video) has another chunk at place \(chunk.sequence) of '\(chunk.stream)'")
    }

    /// On the disk that the node has now.
    /// - Returns: whether there was none yet, and the node is known.
    private static func addReplica(
        on node: NodeID, to key: Int64, _ connection: Connection
    ) throws(CatalogError) -> Bool {
        try connection.run(
            """
            INSERT INTO replicas (chunk_key, node_key, disk_key)
            SELECT ?1, key, disk_key FROM nodes WHERE id = ?2 ON CONFLICT DO NOTHING
            """, [SQLValue(key), SQLValue(node)])
        return connection.changeCount > 0
    }

    private static func addReplicas(
        _ nodes: [NodeID], to key: Int64, of chunk: Chunk, in video: Int64, _ connection: Connection
    ) throws(CatalogError) {
        var (added, moved) = (0, 0)
        for node in nodes {
            if try addReplica(on: node, to: key, connection) {
                added += 1
                continue
            }
            try connection.run(
                """
                UPDATE replicas SET disk_key = n.disk_key FROM nodes n
                WHERE chunk_key = ?1 AND node_key = ?2 AND n.key = ?2 AND replicas.disk_key <> n.disk_key
                """, [SQLValue(key), SQLValue(try NodeTable.key(of: node, connection))])
            moved += connection.changeCount
        }
        guard added + moved > 0 else { return }
        try connection.run(
            "UPDATE streams SET replica_count = replica_count + ?3 WHERE video_key = ?1 AND stream = ?2",
            [SQLValue(video), SQLValue(chunk.stream), SQLValue(added)])
    }

    private static func replicas(of key: Int64, _ connection: Connection) throws(CatalogError) -> [NodeID] {
        try connection.rows(
            """
            SELECT n.id FROM replicas r JOIN nodes n ON n.key = r.node_key
            WHERE r.chunk_key = ? AND r.disk_key IN (0, n.disk_key) ORDER BY n.id
            """, [SQLValue(key)]
        ) { (row) throws(CatalogError) in try row.decode(0) { NodeID($0) } }
    }

    private static func chunk(_ row: Row, video: VideoID, replicas: [NodeID]) throws(CatalogError) -> Chunk {
        guard let checksum = row.withBlob(5, SHA256Digest.init(bytes:)) else {
            throw CatalogError(.corrupt, "the catalog holds a checksum that is none: the file is damaged")
        }
        return Chunk(
            id: try row.decode(1) { ChunkID($0) }, video: video, stream: try row.decode(2) { ChunkStream($0) },
            sequence: row.int(3), sizeBytes: row.int(4), checksum: checksum,
            redundancyMode: try row.decode(6, RedundancyMode.init(rawValue:)), startSec: row.real(7),
            durationSec: row.real(8), replicas: replicas)
    }
}
