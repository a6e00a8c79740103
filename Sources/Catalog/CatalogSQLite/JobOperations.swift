import Base
import Catalog
import Jobs

/// What the catalog does with jobs, each in the transaction of its caller.
enum JobOperations {
    /// Enters the renditions of the plan that the video does not have, and the units that make them.
    static func enter(_ new: NewJob, of id: VideoID, _ video: Int64, _ connection: Connection) throws(CatalogError) {
        try connection.run(
            "INSERT INTO jobs (video_key, created_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
            [SQLValue(video), SQLValue(new.createdAt.nanoseconds)])
        var added: Set<RungLabel> = []
        for rung in new.plan.rungs {
            let partCount = new.plan.unitCount(of: rung.label)
            if try LadderTables.enter(rung, partCount: partCount, of: video, connection) { added.insert(rung.label) }
        }
        let next = try connection.row(
            "SELECT ifnull(max(number) + 1, 0) FROM units WHERE video_key = ?", [SQLValue(video)]
        ) { $0.int(0) }
        var number = next ?? 0
        for unit in new.plan.units {
            let rungs = unit.task.rungs.filter(added.contains)
            if rungs.isEmpty { continue }
            try insert(unit, rungs, number: number, new.tokenMin, of: video, connection)
            number += 1
        }
        if !added.isEmpty {
            try connection.run("UPDATE jobs SET finished_at = NULL WHERE video_key = ?", [SQLValue(video)])
        }
    }

    private static func insert(
        _ unit: JobPlan.Unit, _ rungs: [RungLabel], number: Int, _ token: FencingToken, of video: Int64,
        _ connection: Connection
    ) throws(CatalogError) {
        let task = unit.task
        try connection.run(
            """
            INSERT INTO units (video_key, number, kind, part, segment_begin, segment_end, start_sec, end_sec,
                is_last, rungs, priority, last_token)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                SQLValue(video), SQLValue(number), .text(task.kind.rawValue), SQLValue(task.part),
                SQLValue(task.segments.lowerBound), SQLValue(task.segments.upperBound), SQLValue(task.startSec),
                SQLValue(task.endSec), SQLValue(task.isLast ? 1 : 0),
                .text(rungs.map(\.description).joined(separator: " ")),
                SQLValue(unit.priority), SQLValue(token.number),
            ])
    }

    /// Enters the job of a video of which some renditions are there in part or whole.
    /// - Parameter done: by place in the plan's units, the renditions whose parts are there.
    static func restore(
        _ new: NewJob, done: [Int: Set<RungLabel>], of id: VideoID, _ video: Int64, _ connection: Connection
    ) throws(CatalogError) {
        try connection.run(
            "INSERT INTO jobs (video_key, created_at) VALUES (?, ?)",
            [SQLValue(video), SQLValue(new.createdAt.nanoseconds)])
        for rung in new.plan.rungs {
            _ = try LadderTables.enter(rung, partCount: new.plan.unitCount(of: rung.label), of: video, connection)
        }
        var number = 0
        var isFinished = true
        for (index, unit) in new.plan.units.enumerated() {
            let there = done[index] ?? []
            for (rungs, isDone) in [
                (unit.task.rungs.filter(there.contains), true), (unit.task.rungs.filter { !there.contains($0) }, false),
            ] where !rungs.isEmpty {
                try insert(unit, rungs, number: number, new.tokenMin, of: video, connection)
                if isDone {
                    try connection.run(
                        "UPDATE units SET state = 'done', winner = 0 WHERE video_key = ? AND number = ?",
                        [SQLValue(video), SQLValue(number)])
                }
                isFinished = isFinished && isDone
                number += 1
            }
        }
        if isFinished {
            try connection.run("UPDATE jobs SET finished_at = created_at WHERE video_key = ?", [SQLValue(video)])
        }
    }

    static func contents(of id: VideoID, _ connection: Connection) throws(CatalogError) -> JobContents? {
        let table = JobTable(connection, now: Timestamp(nanoseconds: 0))
        guard try VideoTable.find(id, connection) != nil, let job = try table.job(of: id) else { return nil }
        return JobContents(job: job, units: try table.units(of: id))
    }

    static func unfinished(limit: Int, _ connection: Connection) throws(CatalogError) -> [VideoID] {
        try connection.rows(
            """
            SELECT v.id FROM jobs j JOIN videos v ON v.key = j.video_key
            WHERE v.status = 'active' AND (j.finished_at IS NULL
                OR EXISTS (SELECT 1 FROM units u WHERE u.video_key = j.video_key AND u.state = 'failed'))
            ORDER BY j.video_key LIMIT ?
            """, [SQLValue(limit)]
        ) { (row) throws(CatalogError) in try row.decode(0) { VideoID($0) } }
    }

    static func complete(
        _ id: UnitID, _ token: FencingToken, _ result: UnitResult, _ policy: JobPolicy, at time: Timestamp,
        _ connection: Connection
    ) throws(CatalogError) -> ResultVerdict {
        guard let video = try activeVideo(id.video, connection) else {
            return .fenced("there is no such video any more")
        }
        let table = JobTable(connection, now: time)
        let unit = try table.unit(id)
        var objection: String?
        if let unit, unit.lease(token) != nil {
            objection = try LadderTables.objection(to: result, of: unit.task, token, in: video, connection)
        }
        var board = JobBoard(table, policy)
        let verdict = try board.onResult(id, token, result, objection: objection, now: time)
        guard let follower = unit?.lease(token)?.follower else { return verdict }
        switch verdict {
        case .accepted(let accepted):
            try LadderTables.enter(result, of: accepted.task, token, in: video, connection)
            try FollowerTable.count("accepted_count", follower, at: time, connection)
        case .refused: try FollowerTable.count("refused_count", follower, at: time, connection)
        case .repeated, .fenced: break
        }
        return verdict
    }

    static func fail(
        _ id: UnitID, _ token: FencingToken, _ reason: String, isReleased: Bool, _ policy: JobPolicy,
        at time: Timestamp, _ connection: Connection
    ) throws(CatalogError) -> LeaseVerdict {
        let table = JobTable(connection, now: time)
        if !isReleased, let follower = try table.unit(id)?.lease(token)?.follower {
            try FollowerTable.count("failed_count", follower, at: time, connection)
        }
        var board = JobBoard(table, policy)
        return try board.onFailure(id, token, reason, isReleased: isReleased, now: time)
    }

    static func isLive(
        _ id: UnitID, _ token: FencingToken, _ policy: JobPolicy, at time: Timestamp, _ connection: Connection
    ) throws(CatalogError) -> Bool {
        guard try activeVideo(id.video, connection) != nil,
            let lease = try JobTable(connection, now: time).unit(id)?.lease(token)
        else { return false }
        return time.seconds(since: lease.renewedAt) < policy.leaseSec
    }

    private static func activeVideo(_ id: VideoID, _ connection: Connection) throws(CatalogError) -> Int64? {
        try connection.row("SELECT key FROM videos WHERE id = ? AND status = 'active'", [SQLValue(id)]) {
            $0.integer(0)
        }
    }
}

/// Followers and how they have done.
enum FollowerTable {
    static func noteSeen(_ follower: FollowerID, at time: Timestamp, _ connection: Connection) throws(CatalogError) {
        try connection.run(
            """
            INSERT INTO followers (id, last_seen) VALUES (?1, ?2)
            ON CONFLICT DO UPDATE SET last_seen = max(last_seen, ?2)
            """, [SQLValue(follower), SQLValue(time.nanoseconds)])
    }

    /// - Parameter column: which of the counts.
    static func count(
        _ column: StaticString, _ follower: FollowerID, at time: Timestamp, _ connection: Connection
    ) throws(CatalogError) {
        try noteSeen(follower, at: time, connection)
        try connection.run("UPDATE followers SET \(column) = \(column) + 1 WHERE id = ?", [SQLValue(follower)])
    }

    static func all(_ connection: Connection) throws(CatalogError) -> [FollowerRecord] {
        try connection.rows(
            "SELECT id, last_seen, accepted_count, failed_count, refused_count FROM followers ORDER BY id"
        ) { (row) throws(CatalogError) in
            FollowerRecord(
                id: try row.decode(0) { FollowerID($0) }, lastSeen: Timestamp(nanoseconds: row.integer(1)),
                acceptedCount: row.int(2), failedCount: row.int(3), refusedCount: row.int(4))
        }
    }
}

/// What attempts that came to nothing have left on the nodes.
enum DiscardTable {
    static func all(
        on node: NodeID, limit: Int, at time: Timestamp, _ connection: Connection
    ) throws(CatalogError) -> [Discard] {
        try connection.rows(
            """
            SELECT v.id, d.stream, s.sequence_end FROM discards d JOIN nodes n ON n.key = d.node_key
                JOIN videos v ON v.key = d.video_key
                JOIN streams s ON s.video_key = d.video_key AND s.stream = d.stream
            WHERE n.id = ? AND d.due_at <= ? ORDER BY d.due_at LIMIT ?
            """, [SQLValue(node), SQLValue(time.nanoseconds), SQLValue(limit)]
        ) { (row) throws(CatalogError) in
            Discard(
                video: try row.decode(0) { VideoID($0) }, stream: try row.decode(1) { ChunkStream($0) }, node: node,
                sequenceEnd: row.int(2))
        }
    }

    static func finish(_ discard: Discard, _ connection: Connection) throws(CatalogError) {
        let values = [SQLValue(discard.video), SQLValue(discard.stream)]
        try connection.run(
            """
            DELETE FROM discards WHERE video_key = (SELECT key FROM videos WHERE id = ?1) AND stream = ?2
                AND node_key = (SELECT key FROM nodes WHERE id = ?3)
            """, values + [SQLValue(discard.node)])
        let rest = try connection.row(
            """
            SELECT count(*) FROM discards d JOIN videos v ON v.key = d.video_key WHERE v.id = ? AND d.stream = ?
            """, values
        ) { $0.int(0) }
        guard rest == 0 else { return }
        try connection.run(
            "DELETE FROM chunks WHERE video_key = (SELECT key FROM videos WHERE id = ?1) AND stream = ?2", values)
        // The end stays: should the video be deleted, it says where to look for what came later.
        try connection.run(
            """
            UPDATE streams SET chunk_count = 0, replica_count = 0, size_bytes = 0
            WHERE video_key = (SELECT key FROM videos WHERE id = ?1) AND stream = ?2
            """, values)
    }
}
