import JSON
import PostgreSQL

/// A column of a result that becomes a member of the same name in a JSON object.
struct Field {
    enum Kind {
        case text
        /// A number, whose text in PostgreSQL's format is also valid JSON.
        case number
        case boolean
        /// JSON that PostgreSQL has built.
        case json
    }

    let name: StaticString
    let kind: Kind

    static func text(_ name: StaticString) -> Field { Field(name: name, kind: .text) }
    static func number(_ name: StaticString) -> Field { Field(name: name, kind: .number) }
    static func boolean(_ name: StaticString) -> Field { Field(name: name, kind: .boolean) }
    static func json(_ name: StaticString) -> Field { Field(name: name, kind: .json) }
}

/// Adjacent columns of a statement's rows, which become the members of one JSON object.
///
/// The groups of a statement are chained. Each one has its position, and the last one contains the whole list of
/// selected columns, so that no name and no position is written twice:
///
///     static let levels = Columns(riskLevels)
///     static let clock = Columns([.text("last_updated")], after: levels)
///     static let statement = Statement(name: "x", sql: "SELECT \(clock.selected) FROM re.x($1)")
struct Columns {
    let fields: [Field]
    /// The position of the first column in a row.
    let first: Int
    /// The SQL list of this group's columns and those of all groups before it.
    let selected: String
    /// The escaped names, prepared once, because a list writes them for every row.
    fileprivate let names: MemberNames

    /// - Parameters:
    ///   - prefix: the text before each member's name in the name of its column.
    ///   - previous: the group before this one. Nil for the first.
    init(_ fields: [Field], prefix: String = "", after previous: Columns? = nil) {
        self.fields = fields
        first = previous.map { $0.first + $0.fields.count } ?? 0
        let columns = fields.map { "\(prefix)\($0.name)" }.joined(separator: ", ")
        selected = previous.map { "\($0.selected), \(columns)" } ?? columns
        names = MemberNames(fields.map(\.name))
    }

    /// Makes consecutive groups. Each column's name begins with the name of its group.
    static func named(_ groups: [(name: StaticString, fields: [Field])], after previous: Columns?) -> [NamedColumns] {
        var result: [NamedColumns] = []
        for group in groups {
            let columns = Columns(group.fields, prefix: "\(group.name)_", after: result.last?.columns ?? previous)
            result.append(NamedColumns(name: group.name, columns: columns))
        }
        return result
    }

    /// The position of the column with this name. Nil if the group has no such column.
    func position(of name: String) -> Int? {
        fields.firstIndex { "\($0.name)" == name }.map { first + $0 }
    }
}

/// A group of columns that becomes a JSON object with this name.
struct NamedColumns {
    let name: StaticString
    let columns: Columns
}

extension Row {
    /// The whole number in a group's column. Nil for NULL, or if the group has no such column.
    func int(_ name: String, of columns: Columns) -> Int? { columns.position(of: name).flatMap { int($0) } }

    func text(_ name: String, of columns: Columns) -> String? { columns.position(of: name).flatMap { text($0) } }
}

extension JSONWriter {
    /// Writes the members of a group. NULL becomes `null`.
    mutating func members(_ columns: Columns, of row: Row) {
        for (index, field) in columns.fields.enumerated() {
            row.withBytes(columns.first + index) { bytes in
                let isText = field.kind == .text && bytes != nil
                member(index, of: columns.names, field.kind.json(of: bytes), escaping: isText)
            }
        }
    }

    /// Writes an object for each group.
    mutating func members(_ groups: [NamedColumns], of row: Row) {
        for group in groups { object(group.name) { $0.members(group.columns, of: row) } }
    }

    /// Writes a group of one column, the response's time, and returns the text's range in the output. Nil for NULL.
    mutating func member(clock: Columns, of row: Row) -> Range<Int>? {
        members(clock, of: row)
        guard !row.isNull(clock.first) else { return nil }
        var length = 0
        row.withBytes(clock.first) { length = $0?.count ?? 0 }
        // The last byte is the closing quote.
        return count - 1 - length..<count - 1
    }
}

extension Field.Kind {
    /// The JSON of a value in PostgreSQL's text format, without the quotes of a text.
    fileprivate func json(of bytes: UnsafeRawBufferPointer?) -> UnsafeRawBufferPointer {
        guard let bytes else { return Self.literal("null") }
        guard self == .boolean else { return bytes }
        return bytes.first == UInt8(ascii: "t") ? Self.literal("true") : Self.literal("false")
    }

    /// The pointer is always valid, because the text is part of the program.
    private static func literal(_ text: StaticString) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }
}
