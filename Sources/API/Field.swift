import JSON
import PostgreSQL

/// A column of a result that becomes a member of a JSON object under the same name.
struct Field {
    enum Kind {
        case text
        /// A number as PostgreSQL writes it, which JSON takes as it is.
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

extension [Field] {
    /// The columns to select, in this order, so that positions and names cannot drift apart.
    var columns: String { map { "\($0.name)" }.joined(separator: ", ") }
}

extension JSONWriter {
    /// Writes the field in `column` as a value, `null` for NULL.
    mutating func value(_ kind: Field.Kind, of row: Row, _ column: Int) {
        row.withBytes(column) { bytes in
            guard let bytes else { return null() }
            switch kind {
            case .text: string(utf8: bytes)
            case .number, .json: raw(bytes)
            case .boolean: bool(bytes.first == UInt8(ascii: "t"))
            }
        }
    }

    mutating func member(_ field: Field, of row: Row, _ column: Int) {
        name(field.name)
        value(field.kind, of: row, column)
    }

    /// Writes the member that says when it was answered, and returns where that stands.
    mutating func member(clock field: Field, of row: Row, _ column: Int) -> Range<Int>? {
        name(field.name)
        let start = bytes.count
        value(field.kind, of: row, column)
        // Between the quotes.
        return row.isNull(column) ? nil : start + 1..<bytes.count - 1
    }

    /// Writes the members that `fields` name, from neighbouring columns.
    mutating func members(_ fields: [Field], of row: Row, from firstColumn: Int = 0) {
        for (offset, field) in fields.enumerated() { member(field, of: row, firstColumn + offset) }
    }
}
