import JSON
import PostgreSQL

/// `GET …/alerts`: the patients who have become critical on the last days, the latest first, page by page.
struct Alerts: Endpoint {
    static let path: StaticString = "/api/v1/reengagement/{org_id}/alerts"

    enum State: String, Choice {
        case open, acknowledged, all
    }

    let organization: String
    let days: Int
    let state: State
    let limit: Int
    let cursor: Cursor?

    init(_ call: Call) throws(Problem) {
        var values = AddressValues(call.parameters)
        organization = call.organization
        days = values.number("days", in: 1...90) ?? 7
        state = values.choice("state") ?? .open
        limit = values.number("limit", in: 1...200) ?? 50
        let given = values.text("cursor")
        cursor = given.flatMap(Cursor.init)
        if given != nil, cursor == nil { values.errors.add("cursor", Cursor.notOurs) }
        try values.errors.check()
        guard let cursor, try !isOurs(cursor) else { return }
        values.errors.add("cursor", "belongs to another organization, days or state; start again without it")
        try values.errors.check()
    }

    private func isOurs(_ cursor: Cursor) throws(Problem) -> Bool {
        guard case .alert = cursor.place else { return false }
        return cursor.digest.utf8.elementsEqual(try digest().utf8)
    }

    private func digest() throws(Problem) -> String {
        try Cursor.digest(of: ["alerts", organization, String(days), state.rawValue])
    }

    private static let counts = Columns([
        .number("critical"), .number("new_today"), .number("open"), .number("acknowledged"), .number("sequence"),
    ])
    private static let clock = Columns([.text("timestamp")], after: counts)
    private static let alert = AlertColumns(after: clock)

    private static let statement = Statement(
        name: "alerts",
        sql: """
            SELECT \(alert.selected)
            FROM re.alerts($1, $2::int, $3, $4::int, $5::date, $6::int, $7::int, $8)
            """)

    /// One row beyond `limit` shows that there is another page.
    var query: Query {
        Query(Self.statement, [organization, String(days), state.rawValue, String(limit + 1)] + place)
    }

    private var place: [String?] {
        guard case .alert(let since, let priority, let score, let id) = cursor?.place else {
            return [nil, nil, nil, nil]
        }
        return [since.text, String(priority), String(score), id]
    }

    var cacheKey: String? { "" }

    var filter: [(name: StaticString, value: String)] {
        [
            ("days", String(days)), ("state", state.rawValue), ("limit", String(limit)),
            ("continued", cursor == nil ? "no" : "yes"),
        ]
    }

    func respond(to rows: QueryResult) throws -> Response {
        let first = try rows.firstRow()
        let count = first.isNull(Self.alert.patient.first) ? 0 : min(rows.rowCount, limit)
        var shown = ArrayLiteral(capacity: 24 * count)
        for index in 0..<count { shown.append(rows[index], Self.alert.patient.first) }
        let nextCursor = rows.rowCount > limit ? try nextCursor(after: rows[count - 1]) : nil
        var writer = JSONWriter(capacity: 512 * (count + 1))
        var answeredAt: Range<Int>?
        writer.object { writer in
            writer.member("organization_id", string: organization)
            writer.members(Self.counts, of: first)
            writer.array("alerts") { writer in
                for index in 0..<count { writer.object { Self.alert.write(rows[index], &$0) } }
            }
            writer.object("summary") { writeSummary(count, nextCursor, &$0) }
            answeredAt = writer.member(clock: Self.clock, of: first)
        }
        return .json(writer.bytes, answeredAt: answeredAt, disclosing: .patients(shown))
    }

    private func writeSummary(_ count: Int, _ nextCursor: String?, _ writer: inout JSONWriter) {
        writer.member("total_returned", number: count)
        writer.object("filters_applied") { writer in
            writer.member("days", number: days)
            writer.member("state", string: state.rawValue)
            writer.member("limit", number: limit)
        }
        writer.member("next_cursor", string: nextCursor)
    }

    private func nextCursor(after row: Row) throws -> String {
        let patient = Self.alert.patient
        guard let since = row.text("critical_since", of: patient).flatMap(CalendarDay.init),
            let priority = row.int("action_priority", of: patient), let score = row.int("risk_score", of: patient),
            let id = row.text("id", of: patient)
        else { throw EndpointError(description: "an alert without a place in the order") }
        let place = Cursor.Place.alert(since: since, priority: priority, score: score, id: id)
        return Cursor(digest: try digest(), place: place).encoded
    }
}
