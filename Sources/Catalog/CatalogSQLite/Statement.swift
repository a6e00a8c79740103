import CSQLite
import Catalog

/// A prepared statement of one connection; finalized when it is let go of.
final class Statement {
    private let handle: OpaquePointer
    private let database: OpaquePointer

    init(_ sql: String, database: OpaquePointer) throws(CatalogError) {
        var handle: OpaquePointer?
        let result = sqlite3_prepare_v3(database, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
        guard result == SQLITE_OK, let handle else { throw CatalogError(sqlite: result, database) }
        self.handle = handle
        self.database = database
    }

    deinit { sqlite3_finalize(handle) }

    /// Runs the statement and hands each row to `body`; the statement is ready for the next run afterwards.
    func run(_ values: [SQLValue], body: (Row) throws(CatalogError) -> Void) throws(CatalogError) {
        defer {
            sqlite3_reset(handle)
            sqlite3_clear_bindings(handle)
        }
        for (index, value) in values.enumerated() { try bind(value, at: Int32(index + 1)) }
        while true {
            switch sqlite3_step(handle) {
            case SQLITE_ROW: try body(Row(handle))
            case SQLITE_DONE: return
            case let result: throw CatalogError(sqlite: result, database)
            }
        }
    }

    private func bind(_ value: SQLValue, at index: Int32) throws(CatalogError) {
        // SQLite copies what it is given with this as the destructor.
        let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        let result =
            switch value {
            case .null: sqlite3_bind_null(handle, index)
            case .integer(let value): sqlite3_bind_int64(handle, index, value)
            case .real(let value): sqlite3_bind_double(handle, index, value)
            case .text(var text):
                text.withUTF8 { bytes in
                    bytes.withMemoryRebound(to: CChar.self) {
                        sqlite3_bind_text64(
                            handle, index, $0.baseAddress, UInt64($0.count), transient, UInt8(SQLITE_UTF8))
                    }
                }
            case .blob(let bytes):
                bytes.isEmpty
                    ? sqlite3_bind_zeroblob(handle, index, 0)
                    : sqlite3_bind_blob64(handle, index, bytes, UInt64(bytes.count), transient)
            }
        guard result == SQLITE_OK else { throw CatalogError(sqlite: result, database) }
    }
}

/// The row a statement stands on; valid only until it steps on. Columns count from 0.
struct Row {
    private let handle: OpaquePointer

    fileprivate init(_ handle: OpaquePointer) { self.handle = handle }

    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    /// A count or size: what is no `Int` in the table is damage that `STRICT` tables rule out.
    func int(_ column: Int32) -> Int { Int(sqlite3_column_int64(handle, column)) }

    func real(_ column: Int32) -> Double { sqlite3_column_double(handle, column) }

    func text(_ column: Int32) -> String {
        guard let bytes = sqlite3_column_text(handle, column) else { return "" }
        let count = Int(sqlite3_column_bytes(handle, column))
        return String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    }

    func textIfAny(_ column: Int32) -> String? { isNull(column) ? nil : text(column) }

    func withBlob<R>(_ column: Int32, _ body: (UnsafeRawBufferPointer) -> R) -> R {
        let bytes = sqlite3_column_blob(handle, column)
        return body(UnsafeRawBufferPointer(start: bytes, count: Int(sqlite3_column_bytes(handle, column))))
    }

    /// A column's text as one of our types.
    /// - Throws: ``CatalogError`` of code `corrupt` when it is not one.
    func decode<Value>(_ column: Int32, _ parse: (String) -> Value?) throws(CatalogError) -> Value {
        let text = text(column)
        guard let value = parse(text) else {
            let name = sqlite3_column_name(handle, column).map { String(cString: $0) } ?? "a column"
            throw CatalogError(.corrupt, "the catalog holds '\(text.prefix(80))' as \(name): the file is damaged")
        }
        return value
    }
}
