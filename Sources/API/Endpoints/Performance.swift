import JSON
import PostgreSQL

/// `GET …/performance`: the results of recent outreach, compared with the industry's benchmarks.
struct Performance: Endpoint {
    static let path: StaticString = "/api/v1/reengagement/{org_id}/performance"

    enum Timeframe: String, Choice {
        case last7Days = "last_7_days"
        case last30Days = "last_30_days"
        case last90Days = "last_90_days"
    }

    let organization: String
    let timeframe: Timeframe

    init(_ call: Call) throws(Problem) {
        organization = call.organization
        var errors = FieldErrors()
        timeframe = call.parameters.choice("timeframe", default: .last30Days, &errors)
        try errors.check()
    }

    private static let totals = Columns([
        .number("outreach_attempts"), .number("successful_contacts"), .number("contact_success_rate"),
        .number("appointments_scheduled"), .number("conversion_rate"), .number("avg_days_to_reengage"),
    ])
    private static let channels = Columns.named(
        [
            ("sms", [.number("sent"), .number("delivered"), .number("responded"), .number("response_rate")]),
            ("email", [.number("sent"), .number("opened"), .number("responded"), .number("response_rate")]),
            (
                "phone",
                [.number("attempted"), .number("connected"), .number("appointment_booked"), .number("conversion_rate")]
            ),
        ], after: totals)
    private static let benchmarks = Columns(
        [.number("industry_avg_contact_rate"), .number("industry_avg_conversion"), .text("our_performance")],
        after: channels.last?.columns)

    private static let statement = Statement(
        name: "performance", sql: "SELECT \(benchmarks.selected) FROM re.performance($1, $2)")

    var query: Query { Query(Self.statement, [organization, timeframe.rawValue]) }
    var cacheKey: String? { "" }

    var filter: [(name: StaticString, value: String)] { [("timeframe", timeframe.rawValue)] }

    func respond(to rows: QueryResult) throws -> Response {
        let row = try rows.firstRow()
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("timeframe", string: timeframe.rawValue)
            writer.object("reengagement_metrics") { $0.members(Self.totals, of: row) }
            writer.object("communication_channels") { $0.members(Self.channels, of: row) }
            writer.object("benchmark_comparison") { $0.members(Self.benchmarks, of: row) }
        }
        return .json(writer.bytes)
    }
}
