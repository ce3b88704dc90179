import JSON
import PostgreSQL

/// A list of patients, however it was asked for.
protocol PatientList: Endpoint {
    var question: PatientQuestion { get }
}

/// The columns after the patient's own.
private enum Column {
    static let priority = 11
    static let score = 6
    static let days = 7
    static let notes = 1 + patientFields.count
    static let total = notes + 1
    static let sortName = total + 1
}

private let fieldsWithNotes = patientFields + [.text("treatment_notes")]

private let statement = Statement(
    name: "prioritized_patients",
    sql: """
        SELECT \(([.text("timestamp")] + fieldsWithNotes + [.number("total"), .text("sort_name")]).columns)
        FROM re.prioritized_patients($1, $2, $3, $4::int, $5, $6, $7, $8::boolean, $9::int, $10::int, $11::int, $12::int,
            $13, $14)
        """)

extension PatientList {
    var query: Query { Query(statement, question.parameters) }

    /// Whether an order was asked for is told in the answer, and the parameters of the query do not hold it.
    var variant: String? { question.sort == nil ? "" : "sort" }

    var filter: [(name: StaticString, value: String)] { question.filter }

    /// Only the database knows the folding (`re.folded`), so it is the one to find that it leaves nothing of `q`.
    func problem(for state: SQLState) -> Problem? {
        guard state.code == "RE422" else { return nil }
        let fault = FieldFault(field: "q", message: "is made of nothing but accents or other marks; give some letters or digits")
        return .unprocessable([fault], Self.method == .post ? .badField : .badParameter)
    }

    func respond(to rows: QueryResult) throws -> Response {
        let first = try rows.firstRow()
        let count = first.isNull(1) ? 0 : min(rows.rowCount, question.limit)
        var shown = PatientIDs(capacity: count)
        for index in 0..<count { shown.add(rows[index], 1) }
        let nextCursor = rows.rowCount > question.limit ? try cursor(after: rows[count - 1]) : nil
        let fields = question.include == .notes ? fieldsWithNotes : patientFields
        var writer = JSONWriter(capacity: 640 * (count + 1))
        var answeredAt: Range<Int>?
        writer.object { writer in
            writer.member("patients", array: { writer in
                for index in 0..<count { writer.object { $0.members(fields, of: rows[index], from: 1) } }
            })
            writer.member("summary", object: { writer in
                writer.member("total_returned", number: count)
                writer.member(.number("total"), of: first, Column.total)
                writer.member("filters_applied", object: { question.writeFilters(&$0) })
                writer.member("next_cursor", string: nextCursor)
            })
            answeredAt = writer.member(clock: .text("timestamp"), of: first, 0)
        }
        return .json(writer.bytes, answeredAt: answeredAt, disclosing: .patients(shown))
    }

    private func cursor(after row: Row) throws -> String {
        Cursor(digest: try question.digest(), place: try place(of: row)).encoded
    }

    private func place(of row: Row) throws(EndpointError) -> Cursor.Place {
        if question.order == .name {
            guard let id = row.text(1), let name = row.text(Column.sortName) else {
                throw EndpointError(description: "a patient without a place in the order of names")
            }
            return .name(name, id: id)
        }
        guard let id = row.text(1), let priority = row.int(Column.priority), let score = row.int(Column.score),
            let days = row.int(Column.days)
        else { throw EndpointError(description: "a patient without a place in the order of priority") }
        return .rank(priority: priority, score: score, days: days, id: id)
    }
}
