import JSON
import PostgreSQL

/// `GET …/trends`: one entry for each day of a period that ends today.
struct Trends: Endpoint {
    static let path: StaticString = "/api/v1/reengagement/{org_id}/trends"

    enum Period: String, Choice {
        case week = "7d"
        case month = "30d"
        case quarter = "90d"
        case halfYear = "6m"
        case year = "1y"

        var days: Int {
            switch self {
            case .week: 7
            case .month: 30
            case .quarter: 90
            case .halfYear: 182
            case .year: 365
            }
        }
    }

    /// The groups of fields that the parameter `metrics` adds to each day.
    enum Metric: String, Choice {
        case riskLevels = "risk_levels"
        case successRates = "success_rates"
        case channelPerformance = "channel_performance"
    }

    let organization: String
    let period: Period
    let metrics: Set<Metric>

    init(_ call: Call) throws(Problem) {
        organization = call.organization
        var errors = FieldErrors()
        period = call.parameters.choice("period", default: .month, &errors)
        metrics = Self.metrics(call.parameters, &errors)
        try errors.check()
    }

    private static func metrics(_ parameters: QueryParameters, _ errors: inout FieldErrors) -> Set<Metric> {
        var metrics: Set<Metric> = []
        guard let text = parameters.value(of: "metrics", &errors) else { return metrics }
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let metric = Metric.named(String(item)) else {
                errors.add("metrics", "takes a comma-separated list; each item \(Metric.expectation)")
                return metrics
            }
            guard metrics.insert(metric).inserted else {
                errors.add("metrics", "names \(metric.rawValue) twice; name it once")
                return metrics
            }
        }
        return metrics
    }

    private static let statement = Statement(
        name: "trends", sql: "SELECT \(TrendColumns.changes.selected) FROM re.trends($1, $2::int)")

    var query: Query { Query(Self.statement, [organization, String(period.days)]) }

    var cacheKey: String? { metrics.map(\.rawValue).sorted().joined(separator: ",") }

    var filter: [(name: StaticString, value: String)] {
        let names = Metric.allCases.filter(metrics.contains).map(\.rawValue)
        return [("period", period.rawValue), ("metrics", names.joined(separator: ","))]
    }

    func respond(to rows: QueryResult) throws -> Response {
        guard rows.rowCount == period.days else {
            throw EndpointError(description: "\(rows.rowCount) days instead of \(period.days)")
        }
        let today = rows[rows.rowCount - 1]
        var writer = JSONWriter(capacity: 512 * rows.rowCount)
        writer.object { writer in
            writer.member("period", string: period.rawValue)
            writer.array("daily_trends") { writer in
                for row in rows.rows { writer.object { write(day: row, &$0) } }
            }
            writer.object("channel_performance_trends") { $0.members(TrendColumns.channelTrends, of: today) }
            writer.object("risk_distribution_changes") { $0.members(TrendColumns.changes, of: today) }
            writer.object("current_risk_distribution") { $0.members(TrendColumns.levels, of: today) }
        }
        return .json(writer.bytes)
    }

    private func write(day row: Row, _ writer: inout JSONWriter) {
        writer.members(TrendColumns.day, of: row)
        if metrics.contains(.riskLevels) {
            writer.object("risk_levels") { $0.members(TrendColumns.levels, of: row) }
        }
        if metrics.contains(.successRates) { writer.members(TrendColumns.rates, of: row) }
        if metrics.contains(.channelPerformance) {
            writer.object("channels") { $0.members(TrendColumns.channelDays, of: row) }
        }
    }
}

/// The columns of `re.trends`, which returns one row per day.
///
/// The last groups compare the period's beginning and end. They are the same in every row.
private enum TrendColumns {
    static let day = Columns([
        .text("date"), .number("new_at_risk"), .number("reengaged_successfully"), .number("outreach_attempts"),
        .number("appointments_scheduled"),
    ])
    static let levels = Columns(riskLevels, after: day)
    static let rates = Columns([.number("contact_success_rate"), .number("conversion_rate")], after: levels)
    static let channelDays = Columns.named(
        channels.map { ($0, [.number("attempts"), .number("successes"), .number("success_rate")]) }, after: rates)
    static let channelTrends = Columns.named(
        channels.map { ($0, [.text("success_rate_trend"), .number("change_pct")]) }, after: channelDays.last?.columns)
    static let changes = Columns(
        [.text("critical_trend"), .text("high_trend"), .boolean("overall_improvement")],
        after: channelTrends.last?.columns)

    private static let channels: [StaticString] = ["sms", "email", "phone"]
}
