import Testing

@testable import API

@Suite("The endpoint risk-metrics")
struct RiskMetricsTests {
    @Test("asks for its organization alone, whatever the parameters")
    func query() throws {
        let query = try RiskMetrics(call("limit=x&limit=", organization: "O'Brien Ō")).query
        #expect(query.parameters == ["O'Brien Ō"])
        #expect(query.statement.sql.hasSuffix("FROM re.risk_metrics($1)"))
    }

    @Test("answers the example of the OpenAPI document")
    func example() throws {
        let example = try DocumentedExample("RiskMetrics")
        #expect(try RiskMetrics(call()).answer([example.columns]) == example.value)
    }

    @Test("reports a result without a row as a fault of ours")
    func noRow() throws {
        let endpoint = try RiskMetrics(call())
        #expect(throws: EndpointError.self) { try endpoint.respond(to: endpoint.result([])) }
    }
}
