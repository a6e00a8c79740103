import Base
import Catalog
import Jobs

/// Jobs and their units as a ``JobBoard`` reads and writes them, inside the transaction of one operation.
struct JobTable: JobRows {
    typealias Failure = CatalogError

    /// After this long nobody is likely to add anything to an attempt that has ended.
    private static let discardDelaySec = 45.0

    private let connection: Connection
    private let now: Timestamp

    init(_ connection: Connection, now: Timestamp) {
        self.connection = connection
        self.now = now
    }

    func job(of video: VideoID) throws(CatalogError) -> Job? {
        try connection.row(
            """
            SELECT j.created_at, j.is_stopped, j.started_at, j.finished_at, j.encoded_sec, j.encoding_sec
            FROM jobs j JOIN videos v ON v.key = j.video_key WHERE v.id = ?
            """, [SQLValue(video)]
        ) { row in
            Job(
                video: video, createdAt: Timestamp(nanoseconds: row.integer(0)), isStopped: row.int(1) != 0,
                startedAt: row.timeIfAny(2), finishedAt: row.timeIfAny(3), encodedSec: row.real(4),
                encodingSec: row.real(5))
        }
    }

    func save(_ job: Job) throws(CatalogError) {
        try connection.run(
            """
            UPDATE jobs SET is_stopped = ?2, started_at = ?3, finished_at = ?4, encoded_sec = ?5, encoding_sec = ?6
            WHERE video_key = (SELECT key FROM videos WHERE id = ?1)
            """,
            [
                SQLValue(job.video), SQLValue(job.isStopped ? 1 : 0), .optional(job.startedAt),
                .optional(job.finishedAt), SQLValue(job.encodedSec), SQLValue(job.encodingSec),
            ])
    }

    func unit(_ id: UnitID) throws(CatalogError) -> QueuedUnit? {
        try units(
            "FROM units u JOIN videos v ON v.key = u.video_key WHERE v.id = ? AND u.number = ?",
            [SQLValue(id.video), SQLValue(id.number)]
        ).first
    }

    func units(of video: VideoID) throws(CatalogError) -> [QueuedUnit] {
        try units(
            "FROM units u JOIN videos v ON v.key = u.video_key WHERE v.id = ? ORDER BY u.number", [SQLValue(video)])
    }

    func save(_ unit: QueuedUnit) throws(CatalogError) {
        guard let key = try key(of: unit.id) else { return }
        let (state, winner) = Self.columns(of: unit.state)
        try connection.run(
            """
            UPDATE units SET state = ?2, winner = ?3, attempts = ?4, last_token = ?5, lease_count = ?6, avoided = ?7,
                last_error = ?8
            WHERE key = ?1
            """,
            [
                SQLValue(key), .text(state), winner, SQLValue(unit.attempts), SQLValue(unit.lastToken.number),
                SQLValue(unit.leases.count), try Self.json(unit.avoided), .optional(unit.lastError),
            ])
        try connection.run("DELETE FROM leases WHERE unit_key = ?", [SQLValue(key)])
        for lease in unit.leases {
            try connection.run(
                "INSERT INTO leases VALUES (?, ?, ?, ?, ?, ?)",
                [
                    SQLValue(key), SQLValue(lease.token.number), SQLValue(lease.follower),
                    SQLValue(lease.grantedAt.nanoseconds), SQLValue(lease.renewedAt.nanoseconds),
                    try Self.json(lease.progress),
                ])
        }
    }

    func waitingUnits(limit: Int) throws(CatalogError) -> [QueuedUnit] {
        try units(
            """
            FROM units u JOIN jobs j ON j.video_key = u.video_key JOIN videos v ON v.key = u.video_key
            WHERE u.state = 'open' AND u.lease_count = 0 AND NOT j.is_stopped AND v.status = 'active'
            ORDER BY u.priority, u.key LIMIT ?
            """, [SQLValue(limit)])
    }

    func singlyLeasedUnits(limit: Int) throws(CatalogError) -> [QueuedUnit] {
        try units(
            """
            FROM leases l JOIN units u ON u.key = l.unit_key JOIN videos v ON v.key = u.video_key
            WHERE u.lease_count = 1 ORDER BY l.granted_at LIMIT ?
            """, [SQLValue(limit)])
    }

    func staleUnits(past: Timestamp, now: Timestamp) throws(CatalogError) -> [QueuedUnit] {
        try units(
            """
            FROM units u JOIN videos v ON v.key = u.video_key
            WHERE u.key IN (SELECT unit_key FROM leases WHERE renewed_at <= ?1 OR renewed_at > ?2) ORDER BY u.key
            """, [SQLValue(past.nanoseconds), SQLValue(now.nanoseconds)])
    }

    func units(leasedTo follower: FollowerID) throws(CatalogError) -> [QueuedUnit] {
        try units(
            """
            FROM units u JOIN videos v ON v.key = u.video_key
            WHERE u.key IN (SELECT unit_key FROM leases WHERE follower = ?1) ORDER BY u.key
            """, [SQLValue(follower)])
    }

    func discard(_ token: FencingToken, of unit: QueuedUnit) throws(CatalogError) {
        for rung in unit.task.rungs {
            guard let stream = unit.task.stream(of: rung, token) else { continue }
            try discard(stream, of: unit.id.video)
        }
    }

    /// The stream is to go from every node that may hold bytes of it.
    func discard(_ stream: ChunkStream, of video: VideoID) throws(CatalogError) {
        let values = [SQLValue(video), SQLValue(stream)]
        // Known from now on, so that a deletion of the video looks for what was never committed.
        try connection.run(
            """
            INSERT INTO streams (video_key, stream, chunk_count, replica_count, size_bytes, sequence_end)
            SELECT key, ?2, 0, 0, 0, 0 FROM videos WHERE id = ?1 ON CONFLICT DO NOTHING
            """, values)
        try connection.run(
            """
            INSERT INTO discards (video_key, stream, node_key, due_at)
            SELECT v.key, ?2, m.node_key, ?3 FROM videos v JOIN group_members m ON m.group_key = v.group_key
                WHERE v.id = ?1
            UNION SELECT v.key, ?2, r.node_key, ?3 FROM videos v JOIN chunks c ON c.video_key = v.key AND c.stream = ?2
                JOIN replicas r ON r.chunk_key = c.key WHERE v.id = ?1
            ON CONFLICT DO NOTHING
            """, values + [SQLValue(now.adding(seconds: Self.discardDelaySec).nanoseconds)])
    }
}

// How a unit is read.
extension JobTable {
    private static let columns = """
        u.key, v.id, u.number, u.kind, u.part, u.segment_begin, u.segment_end, u.start_sec, u.end_sec, u.rungs, u.priority,
        u.state, u.winner, u.attempts, u.last_token, u.avoided, u.last_error, u.lease_count, u.is_last
        """

    private func units(_ source: String, _ values: [SQLValue]) throws(CatalogError) -> [QueuedUnit] {
        let found = try connection.rows("SELECT \(Self.columns) \(source)", values) { (row) throws(CatalogError) in
            (key: row.integer(0), leaseCount: row.int(17), unit: try Self.unit(row))
        }
        var result: [QueuedUnit] = []
        for one in found {
            var unit = one.unit
            if one.leaseCount > 0 { unit.leases = try leases(of: one.key) }
            result.append(unit)
        }
        return result
    }

    private static func unit(_ row: Row) throws(CatalogError) -> QueuedUnit {
        let rungs = row.text(9).split(separator: " ").compactMap { RungLabel(String($0)) }
        let task = UnitTask(
            kind: try row.decode(3, UnitTask.Kind.init(rawValue:)), part: row.int(4),
            segments: row.int(5)..<max(row.int(5), row.int(6)), startSec: row.real(7), endSec: row.real(8),
            isLast: row.int(18) != 0,
            rungs: rungs
        )
        return QueuedUnit(
            id: UnitID(video: try row.decode(1) { VideoID($0) }, number: row.int(2)), task: task, priority: row.int(10),
            state: try row.decode(11) { Self.state($0, winner: row.int(12)) }, attempts: row.int(13),
            lastToken: FencingToken(row.int(14)), avoided: try decode([Avoidance].self, row.text(15)),
            lastError: row.textIfAny(16))
    }

    private func leases(of key: Int64) throws(CatalogError) -> [Lease] {
        try connection.rows(
            "SELECT token, follower, granted_at, renewed_at, progress FROM leases WHERE unit_key = ? ORDER BY token",
            [SQLValue(key)]
        ) { (row) throws(CatalogError) in
            Lease(
                token: FencingToken(row.int(0)), follower: try row.decode(1) { FollowerID($0) },
                grantedAt: Timestamp(nanoseconds: row.integer(2)), renewedAt: Timestamp(nanoseconds: row.integer(3)),
                progress: try Self.decode(UnitProgress.self, row.text(4)))
        }
    }

    private func key(of id: UnitID) throws(CatalogError) -> Int64? {
        try connection.row(
            "SELECT u.key FROM units u JOIN videos v ON v.key = u.video_key WHERE v.id = ? AND u.number = ?",
            [SQLValue(id.video), SQLValue(id.number)]
        ) { $0.integer(0) }
    }

    private static func state(_ text: String, winner: Int) -> QueuedUnit.State? {
        switch text {
        case "open": .open
        case "done": .done(FencingToken(winner))
        case "failed": .failed
        default: nil
        }
    }

    private static func columns(of state: QueuedUnit.State) -> (state: String, winner: SQLValue) {
        switch state {
        case .open: ("open", .null)
        case .done(let token): ("done", SQLValue(token.number))
        case .failed: ("failed", .null)
        }
    }

    private static func json(_ value: some Encodable) throws(CatalogError) -> SQLValue {
        guard let bytes = try? JSON.encode(value) else {
            throw CatalogError(.database, "a number that is none cannot be kept")
        }
        return .text(String(decoding: bytes, as: UTF8.self))
    }

    private static func decode<Value: Decodable>(_ type: Value.Type, _ text: String) throws(CatalogError) -> Value {
        do {
            return try JSON.decode(type, from: Array(text.utf8))
        } catch {
            throw CatalogError(.corrupt, "the catalog holds '\(text.prefix(80))', which is none: the file is damaged")
        }
    }
}

extension Row {
    fileprivate func timeIfAny(_ column: Int32) -> Timestamp? {
        isNull(column) ? nil : Timestamp(nanoseconds: integer(column))
    }
}

extension SQLValue {
    fileprivate static func optional(_ value: Timestamp?) -> SQLValue {
        value.map { SQLValue($0.nanoseconds) } ?? .null
    }
}
