import JSON
import PostgreSQL

/// `GET …/risk-metrics`: the number of patients at each risk level, and the alerts.
struct RiskMetrics: Endpoint {
    static let path: StaticString = "/api/v1/reengagement/{org_id}/risk-metrics"

    let organization: String

    init(_ call: Call) throws(Problem) { organization = call.organization }

    private static let levels = Columns(riskLevels)
    private static let alerts = Columns(
        [
            .number("missed_appointments_14d"), .number("failed_communications"), .number("no_future_appointments"),
        ], after: levels)
    private static let totals = Columns([.number("immediate_actions_required")], after: alerts)
    private static let clock = Columns([.text("last_updated")], after: totals)

    private static let statement = Statement(
        name: "risk_metrics", sql: "SELECT \(clock.selected) FROM re.risk_metrics($1)")

    var query: Query { Query(Self.statement, [organization]) }
    var cacheKey: String? { "" }

    func respond(to rows: QueryResult) throws -> Response {
        let row = try rows.firstRow()
        var writer = JSONWriter()
        var answeredAt: Range<Int>?
        writer.object { writer in
            writer.member("organization_id", string: organization)
            writer.object("risk_summary") { $0.members(Self.levels, of: row) }
            writer.object("alerts") { $0.members(Self.alerts, of: row) }
            writer.members(Self.totals, of: row)
            answeredAt = writer.member(clock: Self.clock, of: row)
        }
        return .json(writer.bytes, answeredAt: answeredAt)
    }
}

/// The five risk levels, as columns of counts (definitions.md section 3).
let riskLevels: [Field] = [
    .number("critical"), .number("high"), .number("medium"), .number("low"), .number("engaged"),
]
