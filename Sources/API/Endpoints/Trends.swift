import JSON
import PostgreSQL

/// `GET …/trends`: the last days, one entry a day.
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

    /// What `metrics` may add to every day.
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
        var faults = Faults()
        period = call.parameters.choice("period", default: .month, &faults)
        metrics = Self.metrics(call.parameters, &faults)
        try faults.check()
    }

    private static func metrics(_ parameters: QueryParameters, _ faults: inout Faults) -> Set<Metric> {
        var metrics: Set<Metric> = []
        guard let text = parameters.value(of: "metrics", &faults) else { return metrics }
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let metric = Metric.named(String(item)) else {
                faults.add("metrics", "takes a comma-separated list; each item \(Metric.expectation)")
                return metrics
            }
            guard metrics.insert(metric).inserted else {
                faults.add("metrics", "names \(metric.rawValue) twice; name it once")
                return metrics
            }
        }
        return metrics
    }

    private static let statement = Statement(
        name: "trends", sql: "SELECT \(TrendColumns.all) FROM re.trends($1, $2::int)")

    var query: Query { Query(Self.statement, [organization, String(period.days)]) }

    var variant: String? { metrics.map(\.rawValue).sorted().joined(separator: ",") }

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
            writer.member("daily_trends", array: { writer in
                for row in rows.rows { writer.object { write(day: row, &$0) } }
            })
            writer.member("channel_performance_trends", object: { writer in
                for (channel, first) in zip(TrendColumns.channels, TrendColumns.channelTrends) {
                    writer.member(channel, object: { $0.members(TrendColumns.channelTrend, of: today, from: first) })
                }
            })
            writer.member("risk_distribution_changes", object: {
                $0.members(TrendColumns.changes, of: today, from: TrendColumns.firstChange)
            })
            writer.member("current_risk_distribution", object: {
                $0.members(riskLevels, of: today, from: TrendColumns.firstLevel)
            })
        }
        return .json(writer.bytes)
    }

    private func write(day row: Row, _ writer: inout JSONWriter) {
        writer.members(TrendColumns.day, of: row)
        if metrics.contains(.riskLevels) {
            writer.member("risk_levels", object: { $0.members(riskLevels, of: row, from: TrendColumns.firstLevel) })
        }
        if metrics.contains(.successRates) {
            writer.members(TrendColumns.rates, of: row, from: TrendColumns.firstRate)
        }
        if metrics.contains(.channelPerformance) {
            writer.member("channels", object: { writer in
                for (channel, first) in zip(TrendColumns.channels, TrendColumns.channelDays) {
                    writer.member(channel, object: { $0.members(TrendColumns.channelDay, of: row, from: first) })
                }
            })
        }
    }
}

/// Where `re.trends` has what.
private enum TrendColumns {
    static let day: Fields = [
        .text("date"), .number("new_at_risk"), .number("reengaged_successfully"), .number("outreach_attempts"),
        .number("appointments_scheduled"),
    ]
    static let rates: Fields = [.number("contact_success_rate"), .number("conversion_rate")]
    static let channels: [StaticString] = ["sms", "email", "phone"]
    static let channelDay: Fields = [.number("attempts"), .number("successes"), .number("success_rate")]
    static let channelTrend: Fields = [.text("success_rate_trend"), .number("change_pct")]
    static let changes: Fields = [.text("critical_trend"), .text("high_trend"), .boolean("overall_improvement")]

    static let firstLevel = day.count
    static let firstRate = firstLevel + riskLevels.count
    static let channelDays = channels.indices.map { firstRate + rates.count + $0 * channelDay.count }
    static let channelTrends = channels.indices.map {
        firstRate + rates.count + channels.count * channelDay.count + $0 * channelTrend.count
    }
    static let firstChange = firstRate + rates.count + channels.count * (channelDay.count + channelTrend.count)

    static let all: String = {
        let channelColumns = [channelDay, channelTrend].flatMap { fields in
            channels.flatMap { channel in fields.list.map { "\(channel)_\($0.name)" } }
        }
        return ([(day + riskLevels + rates).columns] + channelColumns + [changes.columns]).joined(separator: ", ")
    }()
}
