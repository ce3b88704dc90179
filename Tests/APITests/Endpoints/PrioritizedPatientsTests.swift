import PostgreSQL
import Testing

@testable import API
@testable import JSON

@Suite("The endpoint patients/prioritized")
struct PrioritizedPatientsTests {
    /// A cursor of the list in the order of priority.
    private static func cursor(
        _ query: String = "", organization: String = "org_2abc123", id: String = "patient_123"
    ) throws -> String {
        let digest = try PrioritizedPatients(call(query, organization: organization)).question.digest()
        return Cursor(digest: digest, place: .rank(priority: 1, score: 85, days: 47, id: id)).encoded
    }

    /// The parameters of the query without a filter, from the first patient on.
    private static func parameters(limit: Int) -> [String?] {
        ["org_2abc123", nil, nil, nil, nil, nil, "priority", "false", "\(limit)", nil, nil, nil, nil, nil]
    }

    @Test("The query asks for one row more than the limit, and by default for every level")
    func query() throws {
        #expect(try PrioritizedPatients(call()).query.parameters == Self.parameters(limit: 51))
        var expected = Self.parameters(limit: 21)
        expected[1] = "critical"
        #expect(try PrioritizedPatients(call("risk_level=critical&limit=20&offset=3")).query.parameters == expected)
        #expect(try PrioritizedPatients(call("risk_level=all&limit=1")).query.parameters == Self.parameters(limit: 2))
    }

    @Test("The query has every filter, the order and the notes")
    func additions() throws {
        let query =
            "engagement_status=stale&action_priority=4&risk_tier=low&q=%20Ann%20a+&sort=name&include=notes&limit=200"
        let expected = [
            "org_2abc123", nil, "stale", "4", "low", "Ann a", "name", "true", "201", nil, nil, nil, nil, nil,
        ]
        #expect(try PrioritizedPatients(call(query)).query.parameters == expected)
        #expect(try PrioritizedPatients(call("sort=last_contact")).query.parameters[6] == "last_contact")
        for status in ["active", "stale", "dormant"] {
            #expect(try PrioritizedPatients(call("engagement_status=\(status)")).query.parameters[2] == status)
        }
        for tier in ["high", "medium", "low"] {
            #expect(try PrioritizedPatients(call("risk_tier=\(tier)")).query.parameters[4] == tier)
        }
    }

    @Test(
        "A search text of 3 to 100 code points loses only its surrounding spaces",
        arguments: [
            ("ann", "ann"), ("+ann+", "ann"), ("%20%20a%20b%20", "a b"), ("%09a%09", "\ta\t"),
            ("%C2%A0a%C2%A0", "\u{A0}a\u{A0}"),
            ("e%CC%81+%CC%81", "e\u{301} \u{301}"), ("+%CC%81ab", "\u{301}ab"), ("%25_%5C", "%_\\"),
            ("\u{1F428}\u{1F428}\u{1F428}", "🐨🐨🐨"),
        ])
    func texts(sent: String, taken: String) throws {
        let text = try PrioritizedPatients(call("q=\(sent)")).query.parameters[5]
        #expect(text?.utf8.elementsEqual(taken.utf8) == true)
    }

    @Test("The length of a search text is counted in code points, not in characters or bytes")
    func lengths() throws {
        func isTaken(_ text: String) -> Bool { errors(of: PrioritizedPatients.self, call("q=\(text)")) == nil }
        let letter = "%C3%A9"
        #expect(isTaken(String(repeating: letter, count: 100)))
        #expect(!isTaken(String(repeating: letter, count: 101)))
        #expect(isTaken("e%CC%81%CC%81"))
        #expect(!isTaken("%C3%A9%C3%A9"))
        #expect(isTaken("+" + String(repeating: "a", count: 100) + "++"))
    }

    @Test("The query continues after the patient that a cursor names, in each order")
    func afterCursor() throws {
        let query = try PrioritizedPatients(call("cursor=\(Self.cursor(id: "Ō' %"))&limit=2")).query
        #expect(query.parameters == Self.parameters(limit: 3).dropLast(5) + ["1", "85", "47", nil, "Ō' %"])
        let filters = "risk_level=low&q=ann&sort=last_contact"
        let filtered = try PrioritizedPatients(call("\(filters)&cursor=\(Self.cursor(filters))")).query
        #expect(Array(filtered.parameters.suffix(5)) == ["1", "85", "47", nil, "patient_123"])
        let digest = try PrioritizedPatients(call("sort=name")).question.digest()
        let name = Cursor(digest: digest, place: .name("ana otaki", id: "p")).encoded
        let named = try PrioritizedPatients(call("sort=name&cursor=\(name)")).query
        #expect(Array(named.parameters.suffix(5)) == [nil, nil, nil, "ana otaki", "p"])
    }

    @Test(
        "An invalid value is refused with the name of its parameter",
        arguments: [
            ("limit=0", ["limit"]), ("limit=201", ["limit"]), ("limit=-1", ["limit"]), ("limit=+5", ["limit"]),
            ("limit=%2B5", ["limit"]), ("limit=05", ["limit"]), ("limit=5.0", ["limit"]), ("limit=1e1", ["limit"]),
            ("limit=0x10", ["limit"]), ("limit=", ["limit"]), ("limit=ten", ["limit"]), ("limit=%D9%A5", ["limit"]),
            ("limit=99999999999999999999", ["limit"]), ("limit=5&limit=5", ["limit"]), ("risk_level=", ["risk_level"]),
            ("risk_level=Critical", ["risk_level"]), ("risk_level=critical,high", ["risk_level"]),
            ("risk_level=all&risk_level=all", ["risk_level"]), ("cursor=", ["cursor"]), ("cursor=x", ["cursor"]),
            ("engagement_status=all", ["engagement_status"]), ("engagement_status=Active", ["engagement_status"]),
            ("action_priority=0", ["action_priority"]), ("action_priority=5", ["action_priority"]),
            ("action_priority=1.0", ["action_priority"]), ("risk_tier=critical", ["risk_tier"]),
            ("risk_tier=high&risk_tier=high", ["risk_tier"]), ("q=", ["q"]), ("q=ab", ["q"]), ("q=+ab+", ["q"]),
            ("q=+++", ["q"]), ("q=abc%00", ["q"]), ("q=abc%FF", ["q"]), ("q=abc&q=abc", ["q"]), ("sort=Name", ["sort"]),
            ("sort=", ["sort"]), ("sort=score", ["sort"]), ("include=", ["include"]), ("include=Notes", ["include"]),
            ("include=notes,notes", ["include"]),
            (
                "risk_level=x&engagement_status=x&action_priority=x&risk_tier=x&q=x&sort=x&include=x&limit=x&cursor=x",
                [
                    "risk_level", "engagement_status", "action_priority", "risk_tier", "q", "sort", "include", "limit",
                    "cursor",
                ]
            ),
        ] as [(String, [String])])
    func refused(query: String, fields: [String]) {
        #expect(errors(of: PrioritizedPatients.self, call(query)) == fields)
    }

    @Test("An error does not repeat the search text")
    func searchTextIsNotRepeated() throws {
        let problem = try #require(problem { _ = try PrioritizedPatients(call("q=Zx&limit=0")) })
        #expect(problem.errors.count == 2)
        #expect(problem.errors.allSatisfy { !$0.message.contains("Zx") })
    }

    @Test(
        "A cursor of another filter, order or organization is refused, and one that is given twice",
        arguments: [
            ("", "risk_level=high"), ("risk_level=critical", ""), ("engagement_status=stale", ""),
            ("", "action_priority=1"),
            ("action_priority=1", "action_priority=2"), ("risk_tier=low", "risk_level=low"), ("q=ann", ""),
            ("q=ann", "q=Ann"),
            ("sort=last_contact", ""), ("sort=priority", "sort=last_contact"), ("", "sort=name"), ("sort=name", ""),
        ])
    func foreignCursors(of: String, on: String) throws {
        #expect(errors(of: PrioritizedPatients.self, call("\(on)&cursor=\(try Self.cursor(of))")) == ["cursor"])
        let twice = "\(of)&cursor=\(try Self.cursor(of))&cursor=\(try Self.cursor(of))"
        #expect(errors(of: PrioritizedPatients.self, call(twice)) == ["cursor"])
        let other = try Self.cursor(of, organization: "org_2")
        #expect(errors(of: PrioritizedPatients.self, call("\(of)&cursor=\(other)")) == ["cursor"])
    }

    @Test("A cursor is valid for an equal filter in another spelling, for another limit and with notes")
    func sameCursors() throws {
        let cursor = try Self.cursor("q=ann")
        for query in ["q=ann", "q=+ann+&risk_level=all&sort=priority", "q=ann&limit=7&include=notes"] {
            #expect(errors(of: PrioritizedPatients.self, call("\(query)&cursor=\(cursor)")) == nil)
        }
    }

    @Test("A cursor with a place of another order is refused")
    func forgedCursors() throws {
        let digest = try PrioritizedPatients(call()).question.digest()
        let forged = Cursor(digest: digest, place: .name("a", id: "p")).encoded
        #expect(errors(of: PrioritizedPatients.self, call("cursor=\(forged)")) == ["cursor"])
        let byName = try PrioritizedPatients(call("sort=name")).question.digest()
        let ranked = Cursor(digest: byName, place: .rank(priority: 1, score: 1, days: 1, id: "p")).encoded
        #expect(errors(of: PrioritizedPatients.self, call("sort=name&cursor=\(ranked)")) == ["cursor"])
    }

    @Test("Organizations with composed and with decomposed letters are different")
    func composition() throws {
        let query = "cursor=\(try Self.cursor(organization: "cafe\u{301}"))"
        #expect(errors(of: PrioritizedPatients.self, call(query, organization: "caf\u{E9}")) == ["cursor"])
        #expect(errors(of: PrioritizedPatients.self, call(query, organization: "cafe\u{301}")) == nil)
    }

    @Test("The audit records the filters, and of a search text only that there was one")
    func filter() throws {
        func filter(_ query: String) throws -> [String] {
            try PrioritizedPatients(call(query)).filter.map { "\($0.name)=\($0.value)" }
        }
        #expect(try filter("limit=3") == ["risk_level=all", "limit=3", "continued=no"])
        let query = "engagement_status=active&action_priority=2&risk_tier=high&q=Secret&sort=name&include=notes"
        #expect(
            try filter(query) == [
                "risk_level=all", "engagement_status=active", "action_priority=2", "risk_tier=high", "searched=yes",
                "sort=name", "include=notes", "limit=50", "continued=no",
            ])
    }

    @Test("The database's refusal of a search text that folds to nothing becomes 422, and no other refusal does")
    func nothingLeft() throws {
        let endpoint = try PrioritizedPatients(call("q=abc"))
        let problem = endpoint.problem(for: SQLState("RE422"))
        #expect(problem?.status == 422)
        #expect(problem?.errors.map(\.field) == ["q"])
        #expect(endpoint.problem(for: SQLState("42501")) == nil)
    }

    @Test("The response is the contract's example")
    func example() throws {
        let rows = ExamplePatients.rows.map { $0.merging(["total": "6"]) { value, _ in value } }
        #expect(try PrioritizedPatients(call()).answer(rows) == json(Self.expected))
    }

    @Test("A page ends at the limit, with a cursor that names its last patient")
    func pages() throws {
        let page = try PrioritizedPatients(call("limit=3")).answer(Array(ExamplePatients.rows.prefix(4))).object
        let ids = page?["patients"]?.array?.map { $0.object?["id"]?.text }
        #expect(ids == ["patient_123", "patient_456", "patient_501"])
        let summary = try #require(page?["summary"]?.object)
        #expect(summary["total_returned"] == .number("3"))
        let cursor = try #require(summary["next_cursor"]?.text)
        let next = try PrioritizedPatients(call("cursor=\(cursor)&limit=200")).query
        #expect(Array(next.parameters.suffix(6)) == ["201", "2", "61", "31", nil, "patient_501"])
    }

    @Test("The cursor of a page by name contains at most 200 bytes of the folded name")
    func pagesByName() throws {
        func next(_ name: String) throws -> [String?] {
            let rows = [
                ["id": "a", "timestamp": "t", "sort_name": name], ["id": "b", "timestamp": "t", "sort_name": name],
            ]
            let page = try PrioritizedPatients(call("sort=name&limit=1")).answer(rows).object
            let cursor = try #require(page?["summary"]?.object?["next_cursor"]?.text)
            return Array(try PrioritizedPatients(call("sort=name&cursor=\(cursor)")).query.parameters.suffix(2))
        }
        #expect(try next("") == ["", "a"])
        #expect(try next("ana otaki") == ["ana otaki", "a"])
        #expect(try next(String(repeating: "x", count: 200)) == [String(repeating: "x", count: 200), "a"])
        #expect(try next(String(repeating: "x", count: 201)) == [String(repeating: "x", count: 200), "a"])
        // 67 characters of three bytes each have 201 bytes.
        #expect(try next(String(repeating: "東", count: 5000)) == [String(repeating: "東", count: 66), "a"])
        #expect(try next("x" + String(repeating: "🐨", count: 50)) == ["x" + String(repeating: "🐨", count: 49), "a"])
    }

    @Test("The total is the database's, and null if the database counted no further")
    func total() throws {
        func total(_ values: [String: String]) throws -> JSONValue? {
            let page = try PrioritizedPatients(call()).answer([values.merging(["timestamp": "t"]) { $1 }])
            return page.object?["summary"]?.object?["total"]
        }
        #expect(try total(["total": "0"]) == .number("0"))
        #expect(try total(["id": "a", "total": "1234567"]) == .number("1234567"))
        #expect(try total(["id": "a"]) == .null)
    }

    @Test("The response has notes only if they were requested")
    func notes() throws {
        let rows = [["id": "a", "timestamp": "t", "treatment_notes": "n"], ["id": "b", "timestamp": "t"]]
        let with = try PrioritizedPatients(call("include=notes")).answer(rows).object?["patients"]?.array
        #expect(with?.map { $0.object?["treatment_notes"] } == [try json(#""n""#), .null])
        let without = try PrioritizedPatients(call()).answer(rows).object?["patients"]?.array
        #expect(without?.map { $0.object?["treatment_notes"] } == [nil, nil])
    }

    @Test("filters_applied contains the effective filters, the added ones only if they were given")
    func filtersApplied() throws {
        func applied(_ query: String) throws -> JSONValue? {
            try PrioritizedPatients(call(query)).answer([["timestamp": "t"]]).object?["summary"]?.object?[
                "filters_applied"]
        }
        #expect(try applied("sort=priority") == json(#"{"risk_level": "all", "limit": 50, "sort": "priority"}"#))
        let query =
            "engagement_status=active&action_priority=2&risk_tier=high&q=+A%22b+&sort=name&include=notes&limit=1"
        let expected = #"""
            {"risk_level": "all", "engagement_status": "active", "action_priority": 2, "risk_tier": "high", "q": "A\"b",
             "sort": "name", "include": "notes", "limit": 1}
            """#
        #expect(try applied(query) == json(expected))
        #expect(try applied("cursor=\(Self.cursor())") == json(#"{"risk_level": "all", "limit": 50}"#))
    }

    @Test("The last page has no cursor, even if it is full")
    func lastPage() throws {
        let page = try PrioritizedPatients(call("limit=3")).answer(Array(ExamplePatients.rows.suffix(3))).object
        #expect(page?["summary"]?.object?["next_cursor"]?.isNull == true)
        #expect(page?["patients"]?.array?.count == 3)
    }

    @Test("An empty page has its time and the effective filters")
    func empty() throws {
        let expected = """
            {"patients": [], "timestamp": "2025-06-30T12:00:00Z", "summary": {"total_returned": 0,
             "total": 0, "filters_applied": {"risk_level": "low", "limit": 7}, "next_cursor": null}}
            """
        let endpoint = try PrioritizedPatients(call("risk_level=low&limit=7"))
        #expect(try endpoint.answer([["timestamp": ExamplePatients.timestamp, "total": "0"]]) == json(expected))
    }

    @Test("Rows that do not fit the query are an internal error")
    func wrongRows() throws {
        let endpoint = try PrioritizedPatients(call("limit=1"))
        #expect(throws: EndpointError.self) { try endpoint.respond(to: endpoint.result([])) }
        let placeless = [["id": "a", "timestamp": "t"], ["id": "b", "timestamp": "t"]]
        #expect(throws: EndpointError.self) { try endpoint.respond(to: endpoint.result(placeless)) }
        let byName = try PrioritizedPatients(call("limit=1&sort=name"))
        #expect(throws: EndpointError.self) { try byName.respond(to: byName.result(placeless)) }
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
              "lifetime_value": 140.0,
              "critical_since": "2025-06-28"
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
              "lifetime_value": 95.5,
              "critical_since": "2025-06-23"
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
              "lifetime_value": 140.0,
              "critical_since": null
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
              "lifetime_value": 0.0,
              "critical_since": "2025-06-24"
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
              "lifetime_value": 120.0,
              "critical_since": null
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
              "lifetime_value": 140.0,
              "critical_since": null
            }
          ],
          "summary": {
            "total_returned": 6,
            "total": 6,
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
