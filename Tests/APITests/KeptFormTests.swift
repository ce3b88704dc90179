import PostgreSQL
import Testing

@testable import API

@Suite("What makes an answer fit to be kept")
struct KeptFormTests {
    private static let now = "2025-06-30T12:00:00Z"

    /// What the response says is its time, in its body.
    private func clock(_ response: Response) -> String? {
        response.answeredAt.map { String(decoding: response.body[$0], as: UTF8.self) }
    }

    @Test("is the place of its clock")
    func clocks() throws {
        let metrics = try RiskMetrics(call(organization: #"an "odd" one"#))
        #expect(clock(try metrics.respond(to: metrics.result([["last_updated": Self.now]]))) == Self.now)
        let list = try PrioritizedPatients(call())
        #expect(clock(try list.respond(to: list.result([["timestamp": Self.now]]))) == Self.now)
        let dashboard = try Dashboard(call())
        #expect(clock(try dashboard.respond(to: dashboard.result([["last_updated": Self.now]]))) == Self.now)
    }

    @Test("is nothing where there is no clock")
    func clockless() throws {
        let metrics = try RiskMetrics(call())
        #expect(try metrics.respond(to: metrics.result([[:]])).answeredAt == nil)
        let performance = try Performance(call())
        #expect(try performance.respond(to: performance.result([[:]])).answeredAt == nil)
    }

    @Test("is all that it is made of beside its query")
    func variants() throws {
        let variants = ["", "metrics=risk_levels", "metrics=success_rates", "metrics=risk_levels,success_rates"]
            .compactMap { try? Trends(call($0)).cacheKey }
        #expect(Set(variants).count == 4)
        let orders = ["metrics=risk_levels,success_rates", "metrics=success_rates,risk_levels"]
        #expect(Set(try orders.map { try Trends(call($0)).cacheKey }).count == 1)
    }

    @Test("is, of a list, whether its order was asked for, which its answer tells and its query does not")
    func lists() throws {
        #expect(try PrioritizedPatients(call("sort=priority")).cacheKey != PrioritizedPatients(call()).cacheKey)
        let queries = [
            "", "engagement_status=stale", "action_priority=4", "risk_tier=low", "q=abc", "sort=name", "include=notes",
        ]
        let parameters = try queries.map { try PrioritizedPatients(call($0)).query.parameters }
        #expect(Set(parameters).count == queries.count)
    }
}
