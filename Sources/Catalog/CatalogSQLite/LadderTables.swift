import Base
import Catalog
import Jobs

/// Renditions that are made unit by unit, and their parts.
enum LadderTables {
    static func renditions(of video: Int64, _ connection: Connection) throws(CatalogError) -> [LadderRendition] {
        let found = try connection.rows(
            """
            SELECT label, kind, width, height, frame_rate, codecs, initialization, part_count FROM ladder
            WHERE video_key = ? ORDER BY width * height DESC, label
            """, [SQLValue(video)], rendition)
        var renditions: [LadderRendition] = []
        for one in found {
            renditions.append(
                LadderRendition(
                    rung: one.rung, codecs: one.codecs, initialization: one.initialization, partCount: one.partCount,
                    parts: try parts(of: one.rung.label, of: video, connection)))
        }
        return renditions
    }

    /// Enters a rendition; one that is there stays as it is.
    /// - Returns: whether it is new.
    static func enter(
        _ rung: JobPlan.Rung, partCount: Int, of video: Int64, _ connection: Connection
    ) throws(CatalogError) -> Bool {
        try connection.run(
            """
            INSERT INTO ladder (video_key, label, kind, width, height, frame_rate, part_count)
            VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
            """,
            [
                SQLValue(video), SQLValue(rung.label), .text(rung.kind.rawValue), SQLValue(rung.width),
                SQLValue(rung.height), .optional(rung.frameRate), SQLValue(partCount),
            ])
        return connection.changeCount == 1
    }

    /// What stands against a result in what the catalog knows: another form than the parts that are there have, or bytes
    /// that are not there.
    static func objection(
        to result: UnitResult, of task: UnitTask, _ token: FencingToken, in video: Int64, _ connection: Connection
    ) throws(CatalogError) -> String? {
        for rung in result.rungs {
            let present = try connection.row(
                "SELECT codecs, initialization FROM ladder WHERE video_key = ? AND label = ?",
                [SQLValue(video), SQLValue(rung.label)]
            ) { (codecs: $0.text(0), initialization: $0.withBlob(1, SHA256Digest.init(bytes:))) }
            guard let present else { return "\(rung.label): the video has no such rendition" }
            if let initialization = present.initialization,
                initialization != rung.initialization || present.codecs != rung.codecs
            {
                return "\(rung.label): its initialization segment is not that of the parts that are there"
            }
            guard let stream = task.stream(of: rung.label, token) else { return "\(rung.label): it has no stream" }
            do throws(CatalogError) {
                try PublicationTables.requireComplete(
                    stream, bytesMin: rung.endBytes, bytesMax: rung.endBytes, of: video, connection)
            } catch {
                guard error.code == .conflict else { throw error }
                return error.message
            }
        }
        return nil
    }

    /// Publishes what an accepted attempt has made.
    static func enter(
        _ result: UnitResult, of task: UnitTask, _ token: FencingToken, in video: Int64, _ connection: Connection
    ) throws(CatalogError) {
        for rung in result.rungs {
            guard let stream = task.stream(of: rung.label, token) else { continue }
            let part = RenditionPart(
                number: task.part, stream: stream, initializationBytes: rung.initializationBytes,
                frameCount: rung.frameCount,
                segments: rung.segments.map {
                    Segment(
                        offsetBytes: $0.offsetBytes, sizeBytes: $0.sizeBytes, startSec: $0.startSec,
                        durationSec: $0.durationSec)
                })
            try setForm(rung.codecs, rung.initialization, of: rung.label, in: video, connection)
            try enter(part, of: rung.label, in: video, connection)
        }
        let labels = result.rungs.map(\.label)
        let isComplete = try renditions(of: video, connection).contains {
            $0.isComplete && labels.contains($0.rung.label)
        }
        try JournalTable.notePublication(of: video, isComplete ? .prompt : .counters, connection)
    }

    /// In place of what was there.
    static func enter(
        _ renditions: [LadderRendition], in video: Int64, _ connection: Connection
    ) throws(CatalogError) {
        try connection.run("DELETE FROM ladder WHERE video_key = ?", [SQLValue(video)])
        for rendition in renditions {
            let label = rendition.rung.label
            _ = try enter(rendition.rung, partCount: rendition.partCount, of: video, connection)
            if let initialization = rendition.initialization {
                try setForm(rendition.codecs, initialization, of: label, in: video, connection)
            }
            for part in rendition.parts { try enter(part, of: label, in: video, connection) }
        }
    }

    static func remove(_ label: RungLabel, of video: Int64, _ connection: Connection) throws(CatalogError) {
        try connection.run(
            "DELETE FROM ladder WHERE video_key = ? AND label = ?", [SQLValue(video), SQLValue(label)])
    }

    private static func setForm(
        _ codecs: String, _ initialization: SHA256Digest, of label: RungLabel, in video: Int64, _ connection: Connection
    ) throws(CatalogError) {
        try connection.run(
            "UPDATE ladder SET codecs = ?3, initialization = ?4 WHERE video_key = ?1 AND label = ?2",
            [SQLValue(video), SQLValue(label), .text(codecs), .blob(initialization.withUnsafeBytes(Array.init))])
    }

    private static func enter(
        _ part: RenditionPart, of label: RungLabel, in video: Int64, _ connection: Connection
    ) throws(CatalogError) {
        try connection.run(
            "INSERT INTO rendition_parts VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                SQLValue(video), SQLValue(label), SQLValue(part.number), SQLValue(part.stream),
                SQLValue(part.initializationBytes), SQLValue(part.frameCount),
                .text(SegmentList.encode(part.segments)),
            ])
    }

    private static func parts(
        of label: RungLabel, of video: Int64, _ connection: Connection
    ) throws(CatalogError) -> [RenditionPart] {
        try connection.rows(
            """
            SELECT number, stream, initialization_bytes, frame_count, segments FROM rendition_parts
            WHERE video_key = ? AND label = ? ORDER BY number
            """, [SQLValue(video), SQLValue(label)]
        ) { (row) throws(CatalogError) in
            RenditionPart(
                number: row.int(0), stream: try row.decode(1) { ChunkStream($0) }, initializationBytes: row.int(2),
                frameCount: row.int(3), segments: try SegmentList.decode(row.text(4)))
        }
    }

    private static func rendition(
        _ row: Row
    ) throws(CatalogError) -> (rung: JobPlan.Rung, codecs: String, initialization: SHA256Digest?, partCount: Int) {
        let rung = JobPlan.Rung(
            label: try row.decode(0) { RungLabel($0) }, kind: try row.decode(1, UnitTask.Kind.init(rawValue:)),
            width: row.int(2), height: row.int(3), frameRate: row.isNull(4) ? nil : row.real(4))
        return (rung, row.text(5), row.withBlob(6, SHA256Digest.init(bytes:)), row.int(7))
    }
}
