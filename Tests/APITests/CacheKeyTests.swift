import PostgreSQL
import Testing

@testable import API

@Suite("The cache key and the time of a response")
struct CacheKeyTests {
    private static let now = "2025-06-30T12:00:00Z"

    /// The time in the body, found by ``Response/answeredAt``.
    private func clock(_ response: Response) -> String? {
        response.answeredAt.map { String(decoding: response.body[$0], as: UTF8.self) }
    }

    @Test("A response with a timestamp records the place of that timestamp in its body")
    func clocks() throws {
        let metrics = try RiskMetrics(call(organization: #"an "odd" one"#))
        #expect(clock(try metrics.respond(to: metrics.result([["last_updated": Self.now]]))) == Self.now)
        let list = try PrioritizedPatients(call())
        #expect(clock(try list.respond(to: list.result([["timestamp": Self.now]]))) == Self.now)
        let dashboard = try Dashboard(call())
        #expect(clock(try dashboard.respond(to: dashboard.result([["last_updated": Self.now]]))) == Self.now)
    }

    @Test("A response without a timestamp records no place")
    func clockless() throws {
        let metrics = try RiskMetrics(call())
        #expect(try metrics.respond(to: metrics.result([[:]])).answeredAt == nil)
        let performance = try Performance(call())
        #expect(try performance.respond(to: performance.result([[:]])).answeredAt == nil)
    }

    @Test("The cache key of the trends depends on the set of metrics and not on their order")
    func trends() throws {
        let keys = ["", "metrics=risk_levels", "metrics=success_rates", "metrics=risk_levels,success_rates"]
            .compactMap { try? Trends(call($0)).cacheKey }
        #expect(Set(keys).count == 4)
        let orders = ["metrics=risk_levels,success_rates", "metrics=success_rates,risk_levels"]
        #expect(Set(try orders.map { try Trends(call($0)).cacheKey }).count == 1)
    }

    @Test("The cache key of the list depends on whether the order was named, and the query on every filter")
    func lists() throws {
        #expect(try PrioritizedPatients(call("sort=priority")).cacheKey != PrioritizedPatients(call()).cacheKey)
        let queries = [
            "", "engagement_status=stale", "action_priority=4", "risk_tier=low", "q=abc", "sort=name", "include=notes",
        ]
        let parameters = try queries.map { try PrioritizedPatients(call($0)).query.parameters }
        #expect(Set(parameters).count == queries.count)
    }
}
