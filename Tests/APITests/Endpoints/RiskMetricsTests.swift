import Testing

@testable import API

@Suite("The endpoint risk-metrics")
struct RiskMetricsTests {
    @Test("The query has only the organization as its parameter, with any query string")
    func query() throws {
        let query = try RiskMetrics(call("limit=x&limit=", organization: "O'Brien Ō")).query
        #expect(query.parameters == ["O'Brien Ō"])
        #expect(query.statement.sql.hasSuffix("FROM re.risk_metrics($1)"))
    }

    @Test("The response is the example of the OpenAPI document")
    func example() throws {
        let example = try DocumentedExample("RiskMetrics")
        #expect(try RiskMetrics(call()).answer([example.columns]) == example.value)
    }

    @Test("A result without a row is an internal error")
    func noRow() throws {
        let endpoint = try RiskMetrics(call())
        #expect(throws: EndpointError.self) { try endpoint.respond(to: endpoint.result([])) }
    }
}
