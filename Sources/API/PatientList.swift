import JSON
import PostgreSQL

/// An endpoint that returns a list of patients.
protocol PatientList: Endpoint {
    var question: PatientQuestion { get }
}

private let clock = Columns([.text("timestamp")])
private let patient = Columns(patientFields, after: clock)
private let notes = Columns([.text("treatment_notes")], after: patient)
private let total = Columns([.number("total")], after: notes)
/// The sort key of the order by name.
private let sortName = Columns([.text("sort_name")], after: total)

private let statement = Statement(
    name: "prioritized_patients",
    sql: """
        SELECT \(sortName.selected)
        FROM re.prioritized_patients($1, $2, $3, $4::int, $5, $6, $7, $8::boolean, $9::int, $10::int, $11::int, $12::int,
            $13, $14)
        """)

extension PatientList {
    var query: Query { Query(statement, question.parameters) }

    /// The response contains `sort` only if the request did. The query's parameters do not show that.
    var cacheKey: String? { question.sort == nil ? "" : "sort" }

    var filter: [(name: StaticString, value: String)] { question.filter }

    /// The database folds `q` (`re.folded`), so only the database can report that nothing of it remains.
    func problem(for state: SQLState) -> Problem? {
        guard state.code == "RE422" else { return nil }
        let error = FieldError(
            field: "q", message: "has only accents or other marks; send letters or digits")
        return .unprocessable([error], Self.method == .post ? .badField : .badParameter)
    }

    func respond(to rows: QueryResult) throws -> Response {
        let first = try rows.firstRow()
        let count = first.isNull(patient.first) ? 0 : min(rows.rowCount, question.limit)
        var shown = ArrayLiteral(capacity: 24 * count)
        for index in 0..<count { shown.append(rows[index], patient.first) }
        let nextCursor = rows.rowCount > question.limit ? try cursor(after: rows[count - 1]) : nil
        var writer = JSONWriter(capacity: 640 * (count + 1))
        var answeredAt: Range<Int>?
        writer.object { writer in
            writer.array("patients") { writer in
                for index in 0..<count { writer.object { write(rows[index], &$0) } }
            }
            writer.object("summary") { writer in
                writer.member("total_returned", number: count)
                writer.members(total, of: first)
                writer.object("filters_applied") { question.writeFilters(&$0) }
                writer.member("next_cursor", string: nextCursor)
            }
            answeredAt = writer.member(clock: clock, of: first)
        }
        return .json(writer.bytes, answeredAt: answeredAt, disclosing: .patients(shown))
    }

    private func write(_ row: Row, _ writer: inout JSONWriter) {
        writer.members(patient, of: row)
        if question.include == .notes { writer.members(notes, of: row) }
    }

    private func cursor(after row: Row) throws -> String {
        Cursor(digest: try question.digest(), place: try place(of: row)).encoded
    }

    private func place(of row: Row) throws(EndpointError) -> Cursor.Place {
        if question.order == .name {
            guard let id = row.text("id", of: patient), let name = row.text(sortName.first) else {
                throw EndpointError(description: "a patient without a place in the order of names")
            }
            return .name(name, id: id)
        }
        guard let id = row.text("id", of: patient), let priority = row.int("action_priority", of: patient),
            let score = row.int("risk_score", of: patient), let days = row.int("days_since_last_contact", of: patient)
        else { throw EndpointError(description: "a patient without a place in the order of priority") }
        return .rank(priority: priority, score: score, days: days, id: id)
    }
}
