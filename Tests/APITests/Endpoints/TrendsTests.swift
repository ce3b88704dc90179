import Testing

@testable import API
@testable import JSON

@Suite("The endpoint trends")
struct TrendsTests {
    @Test(
        "Five periods are accepted, and 30 days are the default",
        arguments: [
            ("", "30"), ("period=7d", "7"), ("period=30d", "30"), ("period=90d", "90"), ("period=6m", "182"),
            ("period=1y&timeframe=x", "365"),
        ])
    func period(query: String, days: String) throws {
        #expect(try Trends(call(query)).query.parameters == ["org_2abc123", days])
    }

    @Test(
        "Any of three metrics are accepted, separated by commas, in any order",
        arguments: [
            ("", []), ("metrics=risk_levels", [.riskLevels]), ("metrics=channel_performance", [.channelPerformance]),
            ("metrics=success_rates,risk_levels", [.riskLevels, .successRates]),
            ("metrics=success%5Frates%2Cchannel_performance", [.successRates, .channelPerformance]),
            (
                "metrics=channel_performance,success_rates,risk_levels",
                [.riskLevels, .successRates, .channelPerformance]
            ),
        ] as [(String, Set<Trends.Metric>)])
    func metrics(query: String, metrics: Set<Trends.Metric>) throws {
        #expect(try Trends(call(query)).metrics == metrics)
    }

    @Test(
        "An invalid value is refused with the name of its parameter",
        arguments: [
            ("period=", ["period"]), ("period=7", ["period"]), ("period=7D", ["period"]), ("period=2y", ["period"]),
            ("period=7d&period=7d", ["period"]), ("period=%FF", ["period"]), ("metrics=", ["metrics"]),
            ("metrics=,", ["metrics"]), ("metrics=risk_levels,", ["metrics"]), ("metrics=,risk_levels", ["metrics"]),
            ("metrics=risk_levels,risk_levels", ["metrics"]), ("metrics=risk_levels,+success_rates", ["metrics"]),
            ("metrics=risk_levels&metrics=success_rates", ["metrics"]), ("metrics=Risk_levels", ["metrics"]),
            ("metrics=risk_levels;success_rates", ["metrics"]), ("metrics=all", ["metrics"]),
            ("metrics=x,y", ["metrics"]),
            ("period=x&metrics=x", ["period", "metrics"]),
        ] as [(String, [String])])
    func refused(query: String, fields: [String]) {
        #expect(errors(of: Trends.self, call(query)) == fields)
    }

    @Test("The response is the contract's example of 30 days")
    func month() throws {
        let happened = [
            "01": [0, 1, 0, 0], "05": [0, 1, 1, 0], "08": [1, 0, 0, 0], "09": [1, 0, 0, 0], "10": [0, 0, 0, 1],
            "13": [1, 0, 0, 0], "19": [0, 0, 1, 0], "20": [0, 0, 1, 0], "21": [0, 0, 1, 0], "22": [0, 0, 1, 0],
            "28": [0, 0, 1, 0], "29": [1, 0, 0, 1],
        ]
        let rows = (1...30).map { number in
            let day = number < 10 ? "0\(number)" : "\(number)"
            // The series were not requested, so their values must not appear.
            return Self.row(
                "2025-06-" + day, happened[day] ?? [0, 0, 0, 0], number == 30 ? [3, 1, 0, 1, 1] : [9, 9, 9, 9, 9]
            )
            .merging(Self.changes(phone: ("improving", "100.0"), high: "increasing")) { value, _ in value }
        }
        #expect(try Trends(call()).answer(rows) == json(trendsOf30Days))
    }

    @Test("The response is the contract's example of 7 days with the risk levels")
    func week() throws {
        let happened = [28: [0, 0, 1, 0], 29: [1, 0, 0, 1]]
        let levels = [27: [2, 1, 1, 2, 0], 28: [3, 0, 1, 1, 1], 29: [3, 1, 0, 1, 1], 30: [3, 1, 0, 1, 1]]
        let rows = (24...30).map { day in
            Self.row("2025-06-\(day)", happened[day] ?? [0, 0, 0, 0], levels[day] ?? [2, 1, 1, 1, 1])
                .merging(Self.changes(phone: ("stable", "0.0"), high: "stable")) { value, _ in value }
        }
        #expect(try Trends(call("period=7d&metrics=risk_levels")).answer(rows) == json(Self.expectedWeek))
    }

    @Test("The series of each named metric are in every day, and each figure is from its own column")
    func series() throws {
        let endpoint = try Trends(call("period=7d&metrics=success_rates,channel_performance"))
        // Each column of each row has a different number.
        let rows = (0..<7).map { day in
            Dictionary(uniqueKeysWithValues: endpoint.columns.enumerated().map { ($1, "\(day * 100 + $0)") })
        }
        let days = try #require(try endpoint.answer(rows).object?["daily_trends"]?.array)
        for (day, row) in zip(days, rows) {
            let day = try #require(day.object)
            #expect(day.members.count == 8)
            #expect(day["contact_success_rate"] == .number(row["contact_success_rate"]!))
            #expect(day["conversion_rate"] == .number(row["conversion_rate"]!))
            for channel in ["sms", "email", "phone"] {
                let figures = try #require(day["channels"]?.object?[channel]?.object)
                #expect(figures.members.count == 3)
                for figure in ["attempts", "successes", "success_rate"] {
                    #expect(figures[figure] == .number(row["\(channel)_\(figure)"]!))
                }
            }
        }
    }

    @Test("A wrong number of days is an internal error")
    func wrongRows() throws {
        let endpoint = try Trends(call("period=7d"))
        for count in [0, 6, 8] {
            let rows = [[String: String]](repeating: [:], count: count)
            #expect(throws: EndpointError.self) { try endpoint.respond(to: endpoint.result(rows)) }
        }
    }

    private static func row(_ date: String, _ happened: [Int], _ levels: [Int]) -> [String: String] {
        let names = [
            "new_at_risk", "reengaged_successfully", "outreach_attempts", "appointments_scheduled", "critical", "high",
            "medium", "low", "engaged",
        ]
        var row = ["date": date]
        for (name, value) in zip(names, happened + levels) { row[name] = "\(value)" }
        return row
    }

    private static func changes(phone: (trend: String, percent: String), high: String) -> [String: String] {
        [
            "sms_success_rate_trend": "stable", "sms_change_pct": "0.0", "email_success_rate_trend": "improving",
            "email_change_pct": "100.0", "phone_success_rate_trend": phone.trend, "phone_change_pct": phone.percent,
            "critical_trend": "increasing", "high_trend": high, "overall_improvement": "f",
        ]
    }

    private static let expectedWeek = """
        {"period": "7d", "daily_trends": [
         {"date": "2025-06-24", "new_at_risk": 0, "reengaged_successfully": 0, "outreach_attempts": 0,
          "appointments_scheduled": 0, "risk_levels": {"critical": 2, "high": 1, "medium": 1, "low": 1, "engaged": 1}},
         {"date": "2025-06-25", "new_at_risk": 0, "reengaged_successfully": 0, "outreach_attempts": 0,
          "appointments_scheduled": 0, "risk_levels": {"critical": 2, "high": 1, "medium": 1, "low": 1, "engaged": 1}},
         {"date": "2025-06-26", "new_at_risk": 0, "reengaged_successfully": 0, "outreach_attempts": 0,
          "appointments_scheduled": 0, "risk_levels": {"critical": 2, "high": 1, "medium": 1, "low": 1, "engaged": 1}},
         {"date": "2025-06-27", "new_at_risk": 0, "reengaged_successfully": 0, "outreach_attempts": 0,
          "appointments_scheduled": 0, "risk_levels": {"critical": 2, "high": 1, "medium": 1, "low": 2, "engaged": 0}},
         {"date": "2025-06-28", "new_at_risk": 0, "reengaged_successfully": 0, "outreach_attempts": 1,
          "appointments_scheduled": 0, "risk_levels": {"critical": 3, "high": 0, "medium": 1, "low": 1, "engaged": 1}},
         {"date": "2025-06-29", "new_at_risk": 1, "reengaged_successfully": 0, "outreach_attempts": 0,
          "appointments_scheduled": 1, "risk_levels": {"critical": 3, "high": 1, "medium": 0, "low": 1, "engaged": 1}},
         {"date": "2025-06-30", "new_at_risk": 0, "reengaged_successfully": 0, "outreach_attempts": 0,
          "appointments_scheduled": 0, "risk_levels": {"critical": 3, "high": 1, "medium": 0, "low": 1, "engaged": 1}}],
         "channel_performance_trends": {"sms": {"success_rate_trend": "stable", "change_pct": 0.0},
          "email": {"success_rate_trend": "improving", "change_pct": 100.0},
          "phone": {"success_rate_trend": "stable", "change_pct": 0.0}},
         "risk_distribution_changes": {"critical_trend": "increasing", "high_trend": "stable",
          "overall_improvement": false},
         "current_risk_distribution": {"critical": 3, "high": 1, "medium": 0, "low": 1, "engaged": 1}}
        """
}
