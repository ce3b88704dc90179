import JSON
import PostgreSQL

/// `GET …/dashboard`: the number and average score of patients at each level, and the ten to contact first.
struct Dashboard: Endpoint {
    static let path: StaticString = "/api/v1/reengagement/{org_id}/dashboard"

    let organization: String

    init(_ call: Call) throws(Problem) { organization = call.organization }

    private static let total = Columns([.number("total_patients")])
    private static let levels = Columns.named(
        riskLevels.map { ($0.name, [.number("count"), .number("avg_score")]) }, after: total)
    private static let actions = Columns([.number("immediate_actions_needed")], after: levels.last?.columns)
    private static let zone = Columns([.text("time_zone")], after: actions)
    private static let clock = Columns([.text("last_updated")], after: zone)
    private static let patient = Columns(
        [
            .text("id"), .text("name"), .text("risk_level"), .number("risk_score"), .text("action"),
            .number("days_since_contact"),
        ], after: clock)

    private static let statement = Statement(
        name: "dashboard", sql: "SELECT \(patient.selected) FROM re.dashboard($1)")

    var query: Query { Query(Self.statement, [organization]) }
    var cacheKey: String? { "" }

    func respond(to rows: QueryResult) throws -> Response {
        let first = try rows.firstRow()
        var shown = ArrayLiteral(capacity: 24 * rows.rowCount)
        var writer = JSONWriter(capacity: 2048)
        var answeredAt: Range<Int>?
        writer.object { writer in
            writer.member("organization_id", string: organization)
            writer.members(Self.zone, of: first)
            writer.object("summary") { writer in
                writer.members(Self.total, of: first)
                writer.object("risk_breakdown") { $0.members(Self.levels, of: first) }
                writer.members(Self.actions, of: first)
            }
            writer.array("top_priority_patients") { writer in
                for row in rows.rows where !row.isNull(Self.patient.first) {
                    shown.append(row, Self.patient.first)
                    writer.object { $0.members(Self.patient, of: row) }
                }
            }
            answeredAt = writer.member(clock: Self.clock, of: first)
        }
        return .json(writer.bytes, answeredAt: answeredAt, disclosing: .patients(shown))
    }
}
