/// The columns that a statement selects: each case has a column's name, and as raw value its position in the row.
///
///     enum Column: Int, SelectedColumn { case number, digest }
///     let statement = Statement(name: "last_seal", sql: "SELECT \(Column.selected) FROM re.audit_seal")
///     row.int(Column.number)
public protocol SelectedColumn: CaseIterable, RawRepresentable where RawValue == Int {}

extension SelectedColumn {
    /// The names, in order. A capital letter of a case stands for an underscore and the small letter.
    public static var names: [String] {
        allCases.map { column in
            "\(column)".map { $0.isUppercase ? "_\($0.lowercased())" : String($0) }.joined()
        }
    }

    /// The columns as SQL.
    public static var selected: String { names.joined(separator: ", ") }
}

extension Row {
    public func text(_ column: some SelectedColumn) -> String? { text(column.rawValue) }

    public func int(_ column: some SelectedColumn) -> Int? { int(column.rawValue) }

    /// Nil for NULL.
    public func bool(_ column: some SelectedColumn) -> Bool? { text(column).map { $0 == "t" } }

    /// The bytes of the field. Nil is NULL.
    public func bytes(_ column: some SelectedColumn) -> [UInt8]? {
        withBytes(column.rawValue) { $0.map(Array.init) }
    }
}
