import JSON
import Testing

@testable import API

@Suite("The endpoint dashboard")
struct DashboardTests {
    private static let totals = [
        "total_patients": "6", "critical_count": "3", "critical_avg_score": "79.7", "high_count": "1",
        "high_avg_score": "61.0", "medium_count": "0", "medium_avg_score": "0.0", "low_count": "1",
        "low_avg_score": "16.0", "engaged_count": "1", "engaged_avg_score": "0.0", "immediate_actions_needed": "2",
        "last_updated": "2025-06-30T12:00:00Z", "time_zone": "Australia/Sydney",
    ]
    /// The columns of a patient in the dashboard, by their names in the list.
    private static let columns = [
        "id": "id", "name": "name", "risk_level": "risk_level", "risk_score": "risk_score",
        "recommended_action": "action", "days_since_last_contact": "days_since_contact",
    ]

    @Test("The query has only the organization as its parameter")
    func query() throws {
        #expect(try Dashboard(call("limit=")).query.parameters == ["org_2abc123"])
    }

    @Test("The response is the contract's example")
    func example() throws {
        let rows = ExamplePatients.rows.map { patient in
            var row = Self.totals
            for (theirs, ours) in Self.columns { row[ours] = patient[theirs] }
            return row
        }
        #expect(try Dashboard(call()).answer(rows) == json(Self.expected))
    }

    @Test("The list is empty if the row has no patient")
    func empty() throws {
        let answer = try Dashboard(call()).answer([Self.totals]).object
        #expect(answer?["top_priority_patients"]?.array?.isEmpty == true)
        #expect(answer?["summary"]?.object?["total_patients"] == .number("6"))
    }

    @Test("A result without a row is an internal error")
    func noRow() throws {
        let endpoint = try Dashboard(call())
        #expect(throws: EndpointError.self) { try endpoint.respond(to: endpoint.result([])) }
    }

    private static let expected = """
        {
          "organization_id": "org_2abc123",
          "time_zone": "Australia/Sydney",
          "summary": {
            "total_patients": 6,
            "risk_breakdown": {
              "critical": {
                "count": 3,
                "avg_score": 79.7
              },
              "high": {
                "count": 1,
                "avg_score": 61.0
              },
              "medium": {
                "count": 0,
                "avg_score": 0.0
              },
              "low": {
                "count": 1,
                "avg_score": 16.0
              },
              "engaged": {
                "count": 1,
                "avg_score": 0.0
              }
            },
            "immediate_actions_needed": 2
          },
          "top_priority_patients": [
            {
              "id": "patient_123",
              "name": "John Smith",
              "risk_level": "critical",
              "risk_score": 85,
              "action": "DORMANT: Re-engagement campaign needed",
              "days_since_contact": 47
            },
            {
              "id": "patient_456",
              "name": "Jane Doe",
              "risk_level": "critical",
              "risk_score": 77,
              "action": "DORMANT: Re-engagement campaign needed",
              "days_since_contact": 52
            },
            {
              "id": "patient_501",
              "name": "Liam O'Brien",
              "risk_level": "high",
              "risk_score": 61,
              "action": "DORMANT: Personal follow-up needed",
              "days_since_contact": 31
            },
            {
              "id": "patient_502",
              "name": "Mei Chen",
              "risk_level": "critical",
              "risk_score": 77,
              "action": "NEW: Invite to a first appointment",
              "days_since_contact": 51
            },
            {
              "id": "patient_500",
              "name": "Ana Ōtaki",
              "risk_level": "low",
              "risk_score": 16,
              "action": "ENGAGED: Continue current care plan",
              "days_since_contact": 10
            },
            {
              "id": "patient_503",
              "name": "Noah Williams",
              "risk_level": "engaged",
              "risk_score": 0,
              "action": "ENGAGED: Continue current care plan",
              "days_since_contact": 2
            }
          ],
          "last_updated": "2025-06-30T12:00:00Z"
        }
        """
}
