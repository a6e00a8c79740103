import Base
import Catalog
import Jobs

/// Originals and renditions.
enum PublicationTables {
    /// Enters the publication and makes the video active; what was published before is replaced. The job is entered
    /// unless there is one.
    static func publish(
        _ id: VideoID, _ publication: Publication, job: NewJob?, _ connection: Connection
    ) throws(CatalogError) {
        let (key, status) = try VideoTable.require(id, connection)
        guard status.canBecome(.active) else {
            throw CatalogError(.conflict, "video \(id) is \(status.rawValue) and cannot be published")
        }
        let original = publication.original
        if !publication.originalFollows {
            try requireComplete(
                .original, bytesMin: original.sizeBytes, bytesMax: original.sizeBytes, of: key, connection)
        }
        for rendition in publication.renditions {
            try requireComplete(rendition.stream, bytesMin: max(1, rendition.endBytes), of: key, connection)
        }
        try enter(publication, of: key, connection)
        try connection.run(
            "UPDATE videos SET status = 'active', error = NULL, duration_sec = ? WHERE key = ?",
            [SQLValue(publication.durationSec), SQLValue(key)])
        if let job, try JobTable(connection, now: job.createdAt).job(of: id) == nil {
            try JobOperations.enter(job, of: id, key, connection)
        }
        try JournalTable.notePublication(of: key, .prompt, connection)
    }

    /// In place of what was there.
    static func enter(
        _ publication: Publication, of video: Int64, _ connection: Connection
    ) throws(CatalogError) {
        try enter(publication.original, of: video, connection)
        try connection.run("DELETE FROM renditions WHERE video_key = ?", [SQLValue(video)])
        for (position, rendition) in publication.renditions.enumerated() {
            try enter(rendition, at: position, of: video, connection)
        }
    }

    static func original(of video: Int64, _ connection: Connection) throws(CatalogError) -> Original? {
        try connection.row(
            """
            SELECT filename, content_type, size_bytes, checksum, width, height, quality_label
            FROM originals WHERE video_key = ?
            """, [SQLValue(video)]
        ) { (row) throws(CatalogError) in
            guard let checksum = row.withBlob(3, SHA256Digest.init(bytes:)) else {
                throw CatalogError(.corrupt, "the catalog holds a checksum that is none: the file is damaged")
            }
            return Original(
                filename: row.text(0), contentType: row.text(1), sizeBytes: row.int(2), checksum: checksum,
                width: row.int(4), height: row.int(5), qualityLabel: row.text(6))
        }
    }

    static func renditions(of video: Int64, _ connection: Connection) throws(CatalogError) -> [Rendition] {
        try connection.rows(
            """
            SELECT stream, width, height, codecs, frame_rate, bandwidth, average_bandwidth, initialization_bytes,
                segments
            FROM renditions WHERE video_key = ? ORDER BY position
            """, [SQLValue(video)]
        ) { (row) throws(CatalogError) in
            Rendition(
                stream: try row.decode(0) { ChunkStream($0) }, width: row.int(1), height: row.int(2),
                codecs: row.text(3), frameRate: row.isNull(4) ? nil : row.real(4), bandwidth: row.int(5),
                averageBandwidth: row.int(6), initializationBytes: row.int(7),
                segments: try SegmentList.decode(row.text(8)))
        }
    }

    /// - Throws: ``CatalogError`` of code `conflict` when chunks of the stream are missing.
    static func requireComplete(
        _ stream: ChunkStream, bytesMin: Int, bytesMax: Int = .max, of video: Int64, _ connection: Connection
    ) throws(CatalogError) {
        let found = try connection.row(
            "SELECT chunk_count, sequence_end, size_bytes FROM streams WHERE video_key = ? AND stream = ?",
            [SQLValue(video), SQLValue(stream)]
        ) { (count: $0.int(0), end: $0.int(1), bytes: $0.int(2)) }
        guard let found else { throw CatalogError(.conflict, "no chunk of stream '\(stream)' is committed") }
        guard found.count == found.end else {
            throw CatalogError(
                .conflict,
                "\(found.end - found.count) of the first \(found.end) chunks of stream '\(stream)' are not committed")
        }
        guard (bytesMin...max(bytesMin, bytesMax)).contains(found.bytes) else {
            throw CatalogError(
                .conflict,
                "the committed chunks of stream '\(stream)' have \(found.bytes) bytes where \(bytesMin) are named")
        }
    }

    private static func enter(
        _ original: Original, of video: Int64, _ connection: Connection
    ) throws(CatalogError) {
        try connection.run(
            "INSERT OR REPLACE INTO originals VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                SQLValue(video), .text(original.filename), .text(original.contentType), SQLValue(original.sizeBytes),
                .blob(original.checksum.withUnsafeBytes(Array.init)), SQLValue(original.width),
                SQLValue(original.height), .text(original.qualityLabel),
            ])
    }

    private static func enter(
        _ rendition: Rendition, at position: Int, of video: Int64, _ connection: Connection
    ) throws(CatalogError) {
        try connection.run(
            "INSERT INTO renditions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                SQLValue(video), SQLValue(position), SQLValue(rendition.stream), SQLValue(rendition.width),
                SQLValue(rendition.height), .text(rendition.codecs), .optional(rendition.frameRate),
                SQLValue(rendition.bandwidth), SQLValue(rendition.averageBandwidth),
                SQLValue(rendition.initializationBytes), .text(SegmentList.encode(rendition.segments)),
            ])
    }
}

/// A rendition's segments in one column: only ever read whole, so rows of their own would buy nothing.
enum SegmentList {
    /// `[[offset,size,start,duration],…]`; Swift's shortest decimal form of a Double reads back as the same Double.
    static func encode(_ segments: [Segment]) -> String {
        var text = "["
        for segment in segments {
            if text.utf8.count > 1 { text += "," }
            text += "[\(segment.offsetBytes),\(segment.sizeBytes),\(segment.startSec),\(segment.durationSec)]"
        }
        return text + "]"
    }

    static func decode(_ text: String) throws(CatalogError) -> [Segment] {
        do {
            return try JSON.decode([Entry].self, from: Array(text.utf8)).map(\.segment)
        } catch {
            throw CatalogError(
                .corrupt, "the catalog holds segments that are none (\(error.message)): the file is damaged")
        }
    }

    private struct Entry: Decodable {
        let segment: Segment

        init(from decoder: any Decoder) throws {
            var values = try decoder.unkeyedContainer()
            segment = Segment(
                offsetBytes: try values.decode(Int.self), sizeBytes: try values.decode(Int.self),
                startSec: try values.decode(Double.self), durationSec: try values.decode(Double.self))
        }
    }
}
