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

/// Neighbouring columns that become the members of an object.
struct Fields: ExpressibleByArrayLiteral {
    let list: [Field]
    /// Prepared, since a list writes the same names for every row.
    fileprivate let names: MemberNames

    init(_ list: [Field]) {
        self.list = list
        names = MemberNames(list.map(\.name))
    }

    init(arrayLiteral elements: Field...) { self.init(elements) }

    static func + (left: Fields, right: Fields) -> Fields { Fields(left.list + right.list) }

    var count: Int { list.count }

    /// The columns to select, in this order, so that positions and names cannot drift apart.
    var columns: String { list.map { "\($0.name)" }.joined(separator: ", ") }
}

extension JSONWriter {
    /// Writes the members that `fields` name, from neighbouring columns; `null` for NULL.
    mutating func members(_ fields: Fields, of row: Row, from firstColumn: Int = 0) {
        for (index, field) in fields.list.enumerated() {
            row.withBytes(firstColumn + index) { bytes in
                let isText = field.kind == .text && bytes != nil
                member(index, of: fields.names, field.kind.json(of: bytes), escaping: isText)
            }
        }
    }

    mutating func member(_ field: Field, of row: Row, _ column: Int) {
        name(field.name)
        value(field, of: row, column)
    }

    private mutating func value(_ field: Field, of row: Row, _ column: Int) {
        row.withBytes(column) { bytes in
            if let bytes, field.kind == .text { string(utf8: bytes) } else { raw(field.kind.json(of: bytes)) }
        }
    }

    /// Writes the member that says when it was answered, and returns where that stands.
    mutating func member(clock field: Field, of row: Row, _ column: Int) -> Range<Int>? {
        name(field.name)
        let start = count
        value(field, of: row, column)
        // Between the quotes.
        return row.isNull(column) ? nil : start + 1..<count - 1
    }
}

extension Field.Kind {
    /// What stands for a value that PostgreSQL writes like this; of a text it is what goes between the quotes.
    fileprivate func json(of bytes: UnsafeRawBufferPointer?) -> UnsafeRawBufferPointer {
        guard let bytes else { return Self.literal("null") }
        guard self == .boolean else { return bytes }
        return bytes.first == UInt8(ascii: "t") ? Self.literal("true") : Self.literal("false")
    }

    /// Good for ever: the text is part of the program.
    private static func literal(_ text: StaticString) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }
}
