import JSON
import PostgreSQL

/// `GET …/alerts/events`: the notices after a number, the oldest first.
struct AlertEvents: Endpoint {
    static let path: StaticString = "/api/v1/reengagement/{org_id}/alerts/events"

    let organization: String
    let after: Int
    let limit: Int

    init(_ call: Call) throws(Problem) {
        var values = AddressValues(call.parameters)
        organization = call.organization
        after = values.number("after", in: 0...Int.max) ?? 0
        limit = values.number("limit", in: 1...200) ?? 200
        try values.errors.check()
    }

    private static let state = Columns([.number("sequence"), .number("oldest"), .boolean("reset")])
    private static let event = Columns(
        [
            .number("sequence"), .text("kind"), .text("cause"), .text("day"), .text("patient_id"), .number("number"),
            .text("at"),
        ], prefix: "event_", after: state)

    private static let statement = Statement(
        name: "alert_events", sql: "SELECT \(event.selected) FROM re.alert_events($1, $2::bigint, $3::int)")

    var query: Query { Query(Self.statement, [organization, String(after), String(limit)]) }
    var cacheKey: String? { "" }
    var filter: [(name: StaticString, value: String)] { [("after", String(after)), ("limit", String(limit))] }

    func respond(to rows: QueryResult) throws -> Response {
        let first = try rows.firstRow()
        let count = first.isNull(Self.event.first) ? 0 : rows.rowCount
        var shown = ArrayLiteral(capacity: 24 * count)
        if let patient = Self.event.position(of: "patient_id") {
            for index in 0..<count { shown.append(rows[index], patient) }
        }
        var writer = JSONWriter(capacity: 192 * (count + 1))
        writer.object { writer in
            writer.array("events") { writer in
                for index in 0..<count { writer.object { $0.members(Self.event, of: rows[index]) } }
            }
            writer.members(Self.state, of: first)
        }
        return .json(writer.bytes, disclosing: .patients(shown))
    }
}
