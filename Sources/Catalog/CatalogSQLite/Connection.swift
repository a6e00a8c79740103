import CSQLite
import Catalog
import Foundation

/// One connection to the database file, closed when it is let go of.
///
/// `@unchecked Sendable`: its lock is the serial queue of whoever owns it; it is used from there only.
final class Connection: @unchecked Sendable {
    /// How long a statement waits for another process that holds the file: another service's transaction, a backup.
    static let busyMillisecondsMax = 5000

    private let handle: OpaquePointer
    /// By their SQL. All SQL is constant, so the cache is as small as this module.
    private var statements: [String: Statement] = [:]

    init(
        path: String, createsFile: Bool, busyMilliseconds: Int = Connection.busyMillisecondsMax
    ) throws(CatalogError) {
        var handle: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (createsFile ? SQLITE_OPEN_CREATE : 0)
        let result = sqlite3_open_v2(path, &handle, flags, nil)
        guard result == SQLITE_OK, let handle else {
            let error = CatalogError(sqlite: result, handle)
            sqlite3_close_v2(handle)
            throw error
        }
        self.handle = handle
        sqlite3_extended_result_codes(handle, 1)
        Self.waitWhenBusy(handle, busyMilliseconds)
    }

    /// Tries again every millisecond. SQLite's own handler waits for up to 100 in between, and would let another
    /// service that writes all the time go first again and again.
    private static func waitWhenBusy(_ handle: OpaquePointer, _ milliseconds: Int) {
        sqlite3_busy_handler(
            handle,
            { limit, attempts in
                guard Int(attempts) < Int(bitPattern: limit) else { return 0 }
                usleep(1000)
                return 1
            }, UnsafeMutableRawPointer(bitPattern: milliseconds))
    }

    deinit {
        statements = [:]
        sqlite3_close_v2(handle)
    }

    /// Changes whenever another connection, of this process or another, has committed.
    func dataVersion() throws(CatalogError) -> Int64? { try row("PRAGMA data_version") { $0.integer(0) } }

    var isReadOnly: Bool { sqlite3_db_readonly(handle, "main") != 0 }

    /// Whether a transaction is open.
    var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

    /// Rows that the last statement changed.
    var changeCount: Int { Int(sqlite3_changes64(handle)) }

    var lastInsertedKey: Int64 { sqlite3_last_insert_rowid(handle) }

    func run(_ sql: String, _ values: [SQLValue] = []) throws(CatalogError) {
        try statement(sql).run(values) { (_) throws(CatalogError) in }
    }

    /// Hands each row to `body`.
    func each(
        _ sql: String, _ values: [SQLValue] = [], _ body: (Row) throws(CatalogError) -> Void
    ) throws(CatalogError) {
        try statement(sql).run(values, body: body)
    }

    func rows<Value>(
        _ sql: String, _ values: [SQLValue] = [], _ make: (Row) throws(CatalogError) -> Value
    ) throws(CatalogError) -> [Value] {
        var result: [Value] = []
        try statement(sql).run(values) { (row) throws(CatalogError) in result.append(try make(row)) }
        return result
    }

    /// The one row there may be.
    func row<Value>(
        _ sql: String, _ values: [SQLValue] = [], _ make: (Row) throws(CatalogError) -> Value
    ) throws(CatalogError) -> Value? {
        try rows(sql, values, make).first
    }

    /// Several statements, separated by semicolons, that give no rows.
    func script(_ sql: String) throws(CatalogError) {
        let result = sqlite3_exec(handle, sql, nil, nil, nil)
        guard result == SQLITE_OK else { throw CatalogError(sqlite: result, handle) }
    }

    /// Runs `body` between `begin` and `COMMIT`, or undoes it all.
    func transaction<Value>(
        _ begin: String = "BEGIN IMMEDIATE", _ body: () throws(CatalogError) -> Value
    ) throws(CatalogError) -> Value {
        try run(begin)
        do {
            let value = try body()
            try run("COMMIT")
            return value
        } catch {
            // Some errors have rolled back already; this one matters more than what a second rollback says.
            if isInTransaction { try? run("ROLLBACK") }
            throw error
        }
    }

    private func statement(_ sql: String) throws(CatalogError) -> Statement {
        if let statement = statements[sql] { return statement }
        let statement = try Statement(sql, database: handle)
        statements[sql] = statement
        return statement
    }
}

extension CatalogError {
    /// What SQLite said. Messages hold no path and no value.
    init(sqlite result: Int32, _ database: OpaquePointer?) {
        let text = database.map { String(cString: sqlite3_errmsg($0)) } ?? String(cString: sqlite3_errstr(result))
        switch result & 0xff {
        case SQLITE_CORRUPT, SQLITE_NOTADB:
            self.init(.corrupt, "the catalog is damaged or is no SQLite database: \(text)")
        case SQLITE_FULL:
            self.init(.diskFull, "the catalog's disk is full: free some space there")
        case SQLITE_READONLY, SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_AUTH, SQLITE_IOERR:
            self.init(.unwritable, "the catalog cannot be read or written: \(text)")
        case SQLITE_BUSY, SQLITE_LOCKED:
            self.init(.overloaded, "the catalog is locked by another process: \(text)")
        default:
            self.init(.database, "the catalog's database failed: \(text) (SQLite code \(result))")
        }
    }
}
