import JSON
import PostgreSQL
import Testing

@testable import API

@Suite("The endpoint alerts")
struct AlertsTests {
    private static let row = [
        "timestamp": "2025-06-30T12:00:00Z", "critical": "117", "new_today": "3", "open": "18", "acknowledged": "3",
        "sequence": "4711", "id": "patient_123", "name": "John Smith", "phone": "+61400000123",
        "email": "john.smith@example.com", "risk_level": "critical", "risk_score": "85",
        "critical_since": "2025-06-28", "days_since_last_contact": "47",
        "recommended_action": "DORMANT: Re-engagement campaign needed", "action_priority": "1",
    ]

    /// The same patient in the response, with this acknowledgement.
    private static func alert(_ acknowledged: String) -> String {
        """
        {"id": "patient_123", "name": "John Smith", "phone": "+61400000123", "email": "john.smith@example.com",
         "risk_level": "critical", "risk_score": 85, "critical_since": "2025-06-28", "days_since_last_contact": 47,
         "recommended_action": "DORMANT: Re-engagement campaign needed", "action_priority": 1,
         "acknowledged": \(acknowledged)}
        """
    }

    @Test("The query asks for one row more than the limit, by default for the open alerts of 7 days")
    func query() throws {
        #expect(try Alerts(call()).query.parameters == ["org_2abc123", "7", "open", "51", nil, nil, nil, nil])
        #expect(
            try Alerts(call("days=90&state=all&limit=200")).query.parameters
                == ["org_2abc123", "90", "all", "201", nil, nil, nil, nil])
        let least = try Alerts(call("state=acknowledged&days=1&limit=1")).query
        #expect(least.parameters[1...3] == ["1", "acknowledged", "2"])
    }

    @Test(
        "An invalid value is refused with the name of its parameter",
        arguments: [
            ("days=0", ["days"]), ("days=91", ["days"]), ("days=07", ["days"]), ("days=", ["days"]),
            ("days=7&days=7", ["days"]), ("state=Open", ["state"]), ("state=open,all", ["state"]),
            ("state=", ["state"]),
            ("limit=0", ["limit"]), ("limit=201", ["limit"]), ("cursor=", ["cursor"]), ("cursor=x", ["cursor"]),
            ("days=x&state=x&limit=x&cursor=x", ["days", "state", "limit", "cursor"]),
        ] as [(String, [String])])
    func refused(query: String, fields: [String]) {
        #expect(errors(of: Alerts.self, call(query)) == fields)
    }

    @Test("The response has the counts, the values in effect, and each alert with its acknowledgement")
    func response() throws {
        let taken = [
            "acknowledged_by": "user_1", "acknowledged_at": "2025-06-30T09:00:00Z", "acknowledged_note": "a \"note\"",
        ]
        let rows = [Self.row, Self.row.merging(taken) { $1 }]
        let acknowledgement = #"{"by": "user_1", "at": "2025-06-30T09:00:00Z", "until": null, "note": "a \"note\""}"#
        let expected = """
            {"organization_id": "org_2abc123", "critical": 117, "new_today": 3, "open": 18, "acknowledged": 3,
             "sequence": 4711, "alerts": [\(Self.alert("null")), \(Self.alert(acknowledgement))],
             "summary": {"total_returned": 2, "filters_applied": {"days": 7, "state": "all", "limit": 50},
               "next_cursor": null},
             "timestamp": "2025-06-30T12:00:00Z"}
            """
        #expect(try Alerts(call("state=all")).answer(rows) == json(expected))
    }

    @Test("A response without an alert has the counts and an empty list")
    func empty() throws {
        let row = Self.row.filter { ["timestamp", "critical", "sequence"].contains($0.key) }
        let answer = try Alerts(call()).answer([row]).object
        #expect(answer?["critical"] == .number("117"))
        #expect(answer?["alerts"]?.array?.isEmpty == true)
        #expect(answer?["summary"]?.object?["total_returned"] == .number("0"))
        #expect(throws: EndpointError.self) { try Alerts(call()).answer([]) }
    }

    @Test("A page ends at the limit, with a cursor that names its last alert and is valid for any limit")
    func pages() throws {
        let rows = [Self.row, Self.row.merging(["id": "b"]) { $1 }]
        let page = try Alerts(call("limit=1&days=30")).answer(rows).object
        #expect(page?["alerts"]?.array?.count == 1)
        let cursor = try #require(page?["summary"]?.object?["next_cursor"]?.text)
        let next = try Alerts(call("cursor=\(cursor)&days=30&limit=9")).query
        #expect(Array(next.parameters.suffix(5)) == ["10", "2025-06-28", "1", "85", "patient_123"])
        for query in ["", "days=7", "days=31", "days=30&state=all"] {
            #expect(errors(of: Alerts.self, call("\(query)&cursor=\(cursor)")) == ["cursor"])
        }
        #expect(errors(of: Alerts.self, call("days=30&cursor=\(cursor)", organization: "org_2")) == ["cursor"])
    }

    @Test("A cursor of the patient list is refused, and one of the alerts by the patient list")
    func foreignCursors() throws {
        let day = try #require(CalendarDay("2025-06-28"))
        let digest = try PrioritizedPatients(call()).question.digest()
        let ranked = Cursor(digest: digest, place: .rank(priority: 1, score: 85, days: 47, id: "p")).encoded
        #expect(errors(of: Alerts.self, call("cursor=\(ranked)")) == ["cursor"])
        let alert = Cursor(digest: digest, place: .alert(since: day, priority: 1, score: 85, id: "p")).encoded
        #expect(errors(of: PrioritizedPatients.self, call("cursor=\(alert)")) == ["cursor"])
        let own = try Cursor.digest(of: ["alerts", "org_2abc123", "7", "open"])
        let forged = Cursor(digest: own, place: .rank(priority: 1, score: 85, days: 47, id: "p")).encoded
        #expect(errors(of: Alerts.self, call("cursor=\(forged)")) == ["cursor"])
    }

    @Test("The audit records the values in effect, and the patients in the response")
    func audit() throws {
        let endpoint = try Alerts(call("limit=1"))
        let filter = endpoint.filter.map { "\($0.name)=\($0.value)" }
        #expect(filter == ["days=7", "state=open", "limit=1", "continued=no"])
        let rows = [Self.row, Self.row.merging(["id": "b"]) { $1 }]
        guard case .patients(let shown) = try endpoint.respond(to: endpoint.result(rows)).disclosure else {
            Issue.record("no patients")
            return
        }
        #expect(String(decoding: shown.bytes, as: UTF8.self).contains("patient_123"))
        #expect(shown.count == 1)
    }
}
