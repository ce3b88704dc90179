import Testing

@testable import API
@testable import JSON

@Suite("The endpoint patients/prioritized")
struct PrioritizedPatientsTests {
    private static func cursor(
        organization: String = "org_2abc123", riskLevel: String = "all", id: String = "patient_123"
    ) -> String {
        Cursor(organization: organization, riskLevel: riskLevel, priority: 1, score: 85, days: 47, id: id).encoded
    }

    @Test("asks for one row more than the limit, of every level by default")
    func query() throws {
        let all = try PrioritizedPatients(call()).query
        #expect(all.parameters == ["org_2abc123", nil, "51", nil, nil, nil, nil])
        let some = try PrioritizedPatients(call("risk_level=critical&limit=20&offset=3")).query
        #expect(some.parameters == ["org_2abc123", "critical", "21", nil, nil, nil, nil])
        #expect(try PrioritizedPatients(call("risk_level=all&limit=1")).query.parameters[1...2] == [nil, "2"])
        #expect(try PrioritizedPatients(call("risk_level=engaged&limit=200")).query.parameters[1...2] == ["engaged", "201"])
    }

    @Test("goes on after the patient that a cursor names")
    func afterCursor() throws {
        let query = try PrioritizedPatients(call("cursor=\(Self.cursor(id: "Ō' %"))&limit=2")).query
        #expect(query.parameters == ["org_2abc123", nil, "3", "1", "85", "47", "Ō' %"])
        let filtered = try PrioritizedPatients(call("risk_level=low&cursor=\(Self.cursor(riskLevel: "low"))")).query
        #expect(filtered.parameters[1] == "low")
    }

    @Test(
        "refuses every other value, naming the parameter",
        arguments: [
            ("limit=0", ["limit"]), ("limit=201", ["limit"]), ("limit=-1", ["limit"]), ("limit=+5", ["limit"]),
            ("limit=%2B5", ["limit"]), ("limit=05", ["limit"]), ("limit=5.0", ["limit"]), ("limit=1e1", ["limit"]),
            ("limit=0x10", ["limit"]), ("limit=", ["limit"]), ("limit=ten", ["limit"]), ("limit=%D9%A5", ["limit"]),
            ("limit=99999999999999999999", ["limit"]), ("limit=5&limit=5", ["limit"]), ("risk_level=", ["risk_level"]),
            ("risk_level=Critical", ["risk_level"]), ("risk_level=critical,high", ["risk_level"]),
            ("risk_level=all&risk_level=all", ["risk_level"]), ("cursor=", ["cursor"]), ("cursor=x", ["cursor"]),
            ("risk_level=x&limit=x&cursor=x", ["risk_level", "limit", "cursor"]),
        ] as [(String, [String])])
    func refused(query: String, fields: [String]) {
        #expect(faults(of: PrioritizedPatients.self, call(query)) == fields)
    }

    @Test(
        "refuses a cursor of another organization, of another filter, or one given twice",
        arguments: [
            "cursor=\(cursor(organization: "org_2"))", "cursor=\(cursor(riskLevel: "high"))",
            "risk_level=critical&cursor=\(cursor())", "cursor=\(cursor())&cursor=\(cursor())",
        ])
    func foreignCursors(query: String) {
        #expect(faults(of: PrioritizedPatients.self, call(query)) == ["cursor"])
    }

    @Test("tells organizations apart that differ in how a letter is composed")
    func composition() {
        let query = "cursor=\(Self.cursor(organization: "cafe\u{301}"))"
        #expect(faults(of: PrioritizedPatients.self, call(query, organization: "caf\u{E9}")) == ["cursor"])
        #expect(faults(of: PrioritizedPatients.self, call(query, organization: "cafe\u{301}")) == nil)
    }

    @Test("answers the contract's example")
    func example() throws {
        #expect(try PrioritizedPatients(call()).answer(ExamplePatients.rows) == json(Self.expected))
    }

    @Test("ends a page at the limit, with a cursor that names its last patient")
    func pages() throws {
        let page = try PrioritizedPatients(call("limit=3")).answer(Array(ExamplePatients.rows.prefix(4))).object
        let ids = page?["patients"]?.array?.map { $0.object?["id"]?.text }
        #expect(ids == ["patient_123", "patient_456", "patient_501"])
        let summary = try #require(page?["summary"]?.object)
        #expect(summary["total_returned"] == .number("3"))
        let cursor = try #require(summary["next_cursor"]?.text)
        let next = try PrioritizedPatients(call("cursor=\(cursor)&limit=200")).query
        #expect(next.parameters == ["org_2abc123", nil, "201", "2", "61", "31", "patient_501"])
    }

    @Test("has no cursor on the last page, a full one too")
    func lastPage() throws {
        let page = try PrioritizedPatients(call("limit=3")).answer(Array(ExamplePatients.rows.suffix(3))).object
        #expect(page?["summary"]?.object?["next_cursor"]?.isNull == true)
        #expect(page?["patients"]?.array?.count == 3)
    }

    @Test("answers an empty page with its time and the filters in effect")
    func empty() throws {
        let expected = """
            {"patients": [], "timestamp": "2025-06-30T12:00:00Z", "summary": {"total_returned": 0,
             "filters_applied": {"risk_level": "low", "limit": 7}, "next_cursor": null}}
            """
        let endpoint = try PrioritizedPatients(call("risk_level=low&limit=7"))
        #expect(try endpoint.answer([["timestamp": ExamplePatients.timestamp]]) == json(expected))
    }

    @Test("reports rows that are none of the query's as a fault of ours")
    func wrongRows() throws {
        let endpoint = try PrioritizedPatients(call("limit=1"))
        #expect(throws: EndpointError.self) { try endpoint.respond(to: endpoint.result([])) }
        let placeless = [["id": "a", "timestamp": "t"], ["id": "b", "timestamp": "t"]]
        #expect(throws: EndpointError.self) { try endpoint.respond(to: endpoint.result(placeless)) }
    }

    private static let expected = """
        {
          "patients": [
            {
              "id": "patient_123",
              "name": "John Smith",
              "phone": "+61400000123",
              "email": "john.smith@example.com",
              "risk_level": "critical",
              "risk_score": 85,
              "days_since_last_contact": 47,
              "last_appointment_date": "2025-05-14T00:00:00Z",
              "next_scheduled_appointment": null,
              "recommended_action": "DORMANT: Re-engagement campaign needed",
              "action_priority": 1,
              "previous_response_rate": 0.0,
              "total_lifetime_appointments": 1,
              "missed_appointments_last_90d": 2,
              "engagement_status": "dormant",
              "risk_tier": "high",
              "attendance_rate_percent": 33.3,
              "lifetime_value": 140.0
            },
            {
              "id": "patient_456",
              "name": "Jane Doe",
              "phone": "+61400000456",
              "email": "jane.doe@example.com",
              "risk_level": "critical",
              "risk_score": 77,
              "days_since_last_contact": 52,
              "last_appointment_date": "2025-05-09T03:00:00Z",
              "next_scheduled_appointment": null,
              "recommended_action": "DORMANT: Re-engagement campaign needed",
              "action_priority": 1,
              "previous_response_rate": 0.0,
              "total_lifetime_appointments": 1,
              "missed_appointments_last_90d": 0,
              "engagement_status": "dormant",
              "risk_tier": "high",
              "attendance_rate_percent": 100.0,
              "lifetime_value": 95.5
            },
            {
              "id": "patient_501",
              "name": "Liam O'Brien",
              "phone": "+61400000501",
              "email": null,
              "risk_level": "high",
              "risk_score": 61,
              "days_since_last_contact": 31,
              "last_appointment_date": "2025-05-30T13:59:59Z",
              "next_scheduled_appointment": null,
              "recommended_action": "DORMANT: Personal follow-up needed",
              "action_priority": 2,
              "previous_response_rate": null,
              "total_lifetime_appointments": 1,
              "missed_appointments_last_90d": 0,
              "engagement_status": "dormant",
              "risk_tier": "medium",
              "attendance_rate_percent": 100.0,
              "lifetime_value": 140.0
            },
            {
              "id": "patient_502",
              "name": "Mei Chen",
              "phone": "+61400000502",
              "email": "mei@example.com",
              "risk_level": "critical",
              "risk_score": 77,
              "days_since_last_contact": 51,
              "last_appointment_date": null,
              "next_scheduled_appointment": null,
              "recommended_action": "NEW: Invite to a first appointment",
              "action_priority": 4,
              "previous_response_rate": null,
              "total_lifetime_appointments": 0,
              "missed_appointments_last_90d": 0,
              "engagement_status": "stale",
              "risk_tier": "high",
              "attendance_rate_percent": null,
              "lifetime_value": 0.0
            },
            {
              "id": "patient_500",
              "name": "Ana Ōtaki",
              "phone": null,
              "email": "ana@example.com",
              "risk_level": "low",
              "risk_score": 16,
              "days_since_last_contact": 10,
              "last_appointment_date": "2025-06-20T05:00:00Z",
              "next_scheduled_appointment": "2025-07-04T05:00:00Z",
              "recommended_action": "ENGAGED: Continue current care plan",
              "action_priority": 4,
              "previous_response_rate": 100.0,
              "total_lifetime_appointments": 1,
              "missed_appointments_last_90d": 0,
              "engagement_status": "active",
              "risk_tier": "low",
              "attendance_rate_percent": 100.0,
              "lifetime_value": 120.0
            },
            {
              "id": "patient_503",
              "name": "Noah Williams",
              "phone": "+61400000503",
              "email": "noah@example.com",
              "risk_level": "engaged",
              "risk_score": 0,
              "days_since_last_contact": 2,
              "last_appointment_date": "2025-06-16T14:00:00Z",
              "next_scheduled_appointment": "2025-07-10T00:00:00Z",
              "recommended_action": "ENGAGED: Continue current care plan",
              "action_priority": 4,
              "previous_response_rate": 100.0,
              "total_lifetime_appointments": 1,
              "missed_appointments_last_90d": 0,
              "engagement_status": "active",
              "risk_tier": "low",
              "attendance_rate_percent": 100.0,
              "lifetime_value": 140.0
            }
          ],
          "summary": {
            "total_returned": 6,
            "filters_applied": {
              "risk_level": "all",
              "limit": 50
            },
            "next_cursor": null
          },
          "timestamp": "2025-06-30T12:00:00Z"
        }
        """
}
