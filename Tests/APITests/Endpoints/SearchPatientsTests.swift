import Testing

@testable import API
@testable import JSON

@Suite("The endpoint patients/search")
struct SearchPatientsTests {
    private static let everything = #"""
        {"risk_level": "low", "engagement_status": "active", "action_priority": 3, "risk_tier": "medium", "q": " Ann\u00e9 ",
         "sort": "name", "include": "notes", "limit": 7, "unknown": {"q": 1}}
        """#
    private static let sameInAnAddress =
        "risk_level=low&engagement_status=active&action_priority=3&risk_tier=medium&q=Ann%C3%A9&sort=name&include=notes&limit=7"

    @Test("The search has the query, the cache key, the audit filter and the response of the list with the same values")
    func query() throws {
        let (search, list) = (
            try SearchPatients(call(body: Self.everything)), try PrioritizedPatients(call(Self.sameInAnAddress))
        )
        #expect(search.query.parameters == list.query.parameters)
        #expect(search.query.statement == list.query.statement)
        #expect(search.cacheKey == list.cacheKey)
        #expect(search.filter.map(\.value) == list.filter.map(\.value))
        let rows = [["timestamp": "t", "id": "a", "total": "1"]]
        #expect(try search.answer(rows) == list.answer(rows))
    }

    @Test(
        "null and a missing member mean the default",
        arguments: [
            "{}", #"{"limit": null}"#,
            #"""
            {"risk_level": null, "engagement_status": null, "action_priority": null, "risk_tier": null, "q": null,
             "sort": null, "include": null, "limit": null, "cursor": null}
            """#,
        ])
    func defaults(body: String) throws {
        let (search, list) = (try SearchPatients(call(body: body)), try PrioritizedPatients(call()))
        #expect(search.query.parameters == list.query.parameters)
        #expect(try search.answer([["timestamp": "t"]]) == list.answer([["timestamp": "t"]]))
        #expect(search.filter.map { "\($0.name)=\($0.value)" } == ["risk_level=all", "limit=50", "continued=no"])
    }

    @Test("The query string is ignored")
    func address() throws {
        let search = try SearchPatients(call("limit=x&q=ab&limit=3&cursor=x&sort=name", body: #"{"limit": 9}"#))
        #expect(search.query.parameters == (try PrioritizedPatients(call("limit=9")).query.parameters))
    }

    @Test("The search continues from a cursor of the list, and the list from a cursor of the search")
    func cursors() throws {
        let rows = [["timestamp": "t", "id": "a", "sort_name": "n"], ["timestamp": "t", "id": "b", "sort_name": "o"]]
        func cursor(_ endpoint: any Endpoint) throws -> String? {
            try endpoint.answer(rows).object?["summary"]?.object?["next_cursor"]?.text
        }
        let ofList = try #require(try cursor(PrioritizedPatients(call("q=ann&sort=name&limit=1"))))
        let ofSearch = try #require(
            try cursor(SearchPatients(call(body: #"{"q": "ann ", "sort": "name", "limit": 1}"#))))
        #expect(ofList == ofSearch)
        let body = #"{"q": "ann", "sort": "name", "include": "notes", "cursor": "\#(ofList)"}"#
        #expect(try SearchPatients(call(body: body)).query.parameters.suffix(2) == ["n", "a"])
        #expect(
            try PrioritizedPatients(call("q=ann&sort=name&cursor=\(ofSearch)")).query.parameters.suffix(2) == [
                "n", "a",
            ])
        let other = #"{"q": "anna", "sort": "name", "cursor": "\#(ofList)"}"#
        #expect(errors(of: SearchPatients.self, call(body: other)) == ["cursor"])
    }

    @Test(
        "A whole number is accepted in any spelling of JSON",
        arguments: ["7", "7.0", "7.000", "7e0", "0.7e1", "70E-1", "7E+0"])
    func numbers(literal: String) throws {
        #expect(try SearchPatients(call(body: "{\"limit\": \(literal)}")).query.parameters[8] == "8")
    }

    @Test(
        "An invalid value is refused with the name of its field",
        arguments: [
            (#""limit": "7""#, ["limit"]), (#""limit": 0"#, ["limit"]), (#""limit": 201"#, ["limit"]),
            (#""limit": 7.5"#, ["limit"]), (#""limit": -1"#, ["limit"]), (#""limit": 1e400"#, ["limit"]),
            (#""limit": 1e30"#, ["limit"]), (#""limit": true"#, ["limit"]), (#""limit": [7]"#, ["limit"]),
            (#""limit": 7, "limit": 7"#, ["limit"]), (#""limit": null, "limit": 7"#, ["limit"]),
            (#""action_priority": "1""#, ["action_priority"]), (#""action_priority": 5"#, ["action_priority"]),
            (#""action_priority": 0"#, ["action_priority"]), (#""risk_level": """#, ["risk_level"]),
            (#""risk_level": "High""#, ["risk_level"]), (#""risk_level": 1"#, ["risk_level"]),
            (#""risk_level": ["high"]"#, ["risk_level"]), (#""engagement_status": "all""#, ["engagement_status"]),
            (#""risk_tier": "LOW""#, ["risk_tier"]), (#""q": """#, ["q"]), (#""q": " ab ""#, ["q"]),
            (#""q": 123"#, ["q"]),
            (#""q": ["abc"]"#, ["q"]), (#""q": "abc\u0000""#, ["q"]), (#""q": "abc\ud800""#, ["q"]),
            (#""q": "abc", "q": "abc""#, ["q"]), (#""sort": "score""#, ["sort"]), (#""sort": """#, ["sort"]),
            (#""include": "notes,notes""#, ["include"]), (#""include": ["notes"]"#, ["include"]),
            (#""include": true"#, ["include"]), (#""cursor": """#, ["cursor"]), (#""cursor": "x""#, ["cursor"]),
            (#""cursor": 1"#, ["cursor"]),
            (#""cursor": {}, "limit": "x", "q": 1, "risk_level": 1"#, ["risk_level", "q", "limit", "cursor"]),
        ] as [(String, [String])])
    func refused(members: String, fields: [String]) {
        #expect(errors(of: SearchPatients.self, call(body: "{\(members)}")) == fields)
    }

    @Test(
        "A body that is empty or not a JSON object is refused with 400", arguments: ["", "[]", "null", "q=abc", "{"])
    func bodies(body: String) {
        #expect(errors(of: SearchPatients.self, call(body: body)) == ["status 400"])
    }
}
