import CPostgreSQL
import Glibc

/// The rows that a query returned, in text format.
public final class QueryResult {
    private let result: OpaquePointer
    private let height: CInt
    private let width: CInt

    /// Takes ownership of a `PGresult`.
    init(owning result: OpaquePointer) {
        self.result = result
        height = PQntuples(result)
        width = PQnfields(result)
    }

    deinit { PQclear(result) }

    public var rowCount: Int { Int(height) }
    public var columnCount: Int { Int(width) }

    /// The row at `index`, which must be below ``rowCount``.
    public subscript(index: Int) -> Row { Row(result: self, index: CInt(index)) }

    public var rows: some Sequence<Row> { (0..<rowCount).lazy.map { self[$0] } }

    /// The bytes of a field, valid as long as the result exists. Nil for NULL and outside the result.
    @usableFromInline
    func bytes(row: CInt, column: CInt) -> UnsafeRawBufferPointer? {
        guard row < height, column < width else { return nil }
        // NULL has length 0 too. A longer field need not be checked for it.
        let length = PQgetlength(result, row, column)
        guard length > 0 || PQgetisnull(result, row, column) == 0 else { return nil }
        return UnsafeRawBufferPointer(start: PQgetvalue(result, row, column), count: Int(length))
    }
}

/// One row of a ``QueryResult``.
public struct Row {
    @usableFromInline let result: QueryResult
    @usableFromInline let index: CInt

    /// Runs `body` with the bytes of the field at `column`. Nil is NULL. The bytes are valid only inside `body`.
    ///
    /// This is inlinable, since a list reads thousands of fields, and otherwise each would run through generic code.
    @inlinable
    public func withBytes<Value>(_ column: Int, _ body: (UnsafeRawBufferPointer?) -> Value) -> Value {
        withExtendedLifetime(result) { body(result.bytes(row: index, column: CInt(column))) }
    }

    /// The text of the field at `column`. Nil is NULL.
    public func text(_ column: Int) -> String? {
        withBytes(column) { bytes in bytes.map { String(decoding: $0, as: UTF8.self) } }
    }

    /// The whole number in the field at `column`. Nil for NULL and for any other value.
    public func int(_ column: Int) -> Int? { text(column).flatMap { Int($0) } }

    public func isNull(_ column: Int) -> Bool { withBytes(column) { $0 == nil } }
}

extension QueryResult {
    /// Builds a result without a server, for tests. libpq itself builds one in the same way.
    ///
    /// - Returns: nil if memory is short or the rows do not fit the columns.
    public static func make(columns: [String], rows: [[String?]]) -> QueryResult? {
        guard let result = PQmakeEmptyPGresult(nil, PGRES_TUPLES_OK) else { return nil }
        guard fill(result, columns, rows) else {
            PQclear(result)
            return nil
        }
        return QueryResult(owning: result)
    }

    private static func fill(_ result: OpaquePointer, _ columns: [String], _ rows: [[String?]]) -> Bool {
        let names = columns.map { strdup($0) }
        defer { for name in names { free(name) } }
        var attributes = names.map {
            PGresAttDesc(name: $0, tableid: 0, columnid: 0, format: 0, typid: 25, typlen: -1, atttypmod: -1)
        }
        guard PQsetResultAttrs(result, CInt(columns.count), &attributes) != 0 else { return false }
        for (rowIndex, row) in rows.enumerated() {
            guard row.count == columns.count else { return false }
            for (column, value) in row.enumerated() {
                guard set(result, CInt(rowIndex), CInt(column), value) else { return false }
            }
        }
        return true
    }

    private static func set(_ result: OpaquePointer, _ row: CInt, _ column: CInt, _ value: String?) -> Bool {
        guard let value else { return PQsetvalue(result, row, column, nil, -1) != 0 }
        var bytes = value.utf8.map { CChar(bitPattern: $0) }
        return PQsetvalue(result, row, column, &bytes, CInt(bytes.count)) != 0
    }
}
