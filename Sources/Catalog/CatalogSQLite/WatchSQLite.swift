import Base
import Catalog
import Synchronization

/// Follows the table of changes, which triggers fill (``Schema``), by a connection of its own.
final class WatchSQLite: CatalogWatch {
    /// A watch is asked by who has something better to do than to wait.
    private static let busyMilliseconds = 50

    private struct State {
        let connection: Connection
        /// SQLite's own count of commits by others, as this connection sees it.
        var dataVersion: Int64?
        /// The last change that was told.
        var number: Int64
    }

    private let state: Locked<State>

    init(path: String) throws(CatalogError) {
        let connection = try Connection(path: path, createsFile: false, busyMilliseconds: Self.busyMilliseconds)
        try connection.script("PRAGMA query_only = 1")
        let number = try connection.row("SELECT ifnull(max(number), 0) FROM changes") { $0.integer(0) }
        state = Locked(State(connection: connection, number: number ?? 0))
    }

    func changedVideos() throws(CatalogError) -> [VideoID] {
        let result = state.withLock { state in
            Result { () throws(CatalogError) in try Self.changedVideos(&state) }
        }
        return try result.get()
    }

    private static func changedVideos(_ state: inout State) throws(CatalogError) -> [VideoID] {
        let version = try state.connection.dataVersion()
        guard version == nil || version != state.dataVersion else { return [] }
        var last = state.number
        let videos = try state.connection.rows(
            "SELECT number, video_id FROM changes WHERE number > ? ORDER BY number", [SQLValue(state.number)]
        ) { (row) throws(CatalogError) in
            last = row.integer(0)
            return try row.decode(1) { VideoID($0) }
        }
        state.number = last
        // Only now: had the query failed, the changes would be looked for again. A commit between the two is looked for
        // in vain the next time.
        state.dataVersion = version
        return videos
    }
}
