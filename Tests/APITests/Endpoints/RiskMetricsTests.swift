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

    @Test("answers the contract's example")
    func example() throws {
        let row = [
            "critical": "3", "high": "1", "medium": "0", "low": "1", "engaged": "1", "missed_appointments_14d": "1",
            "failed_communications": "1", "no_future_appointments": "4", "immediate_actions_required": "2",
            "last_updated": "2025-06-30T12:00:00Z",
        ]
        #expect(try RiskMetrics(call()).answer([row]) == json(Self.expected))
    }

    @Test("reports a result without a row as a fault of ours")
    func noRow() throws {
        let endpoint = try RiskMetrics(call())
        #expect(throws: EndpointError.self) { try endpoint.respond(to: endpoint.result([])) }
    }

    private static let expected = """
        {
          "organization_id": "org_2abc123",
          "risk_summary": {"critical": 3, "high": 1, "medium": 0, "low": 1, "engaged": 1},
          "alerts": {
            "missed_appointments_14d": 1,
            "failed_communications": 1,
            "no_future_appointments": 4
          },
          "immediate_actions_required": 2,
          "last_updated": "2025-06-30T12:00:00Z"
        }
        """
}
