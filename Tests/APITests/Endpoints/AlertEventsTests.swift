import JSON
import PostgreSQL
import Testing

@testable import API

@Suite("The endpoint alerts/events")
struct AlertEventsTests {
    @Test("The query has the number and the limit, by default all of 200 from the first on")
    func query() throws {
        #expect(try AlertEvents(call()).query.parameters == ["org_2abc123", "0", "200"])
        #expect(try AlertEvents(call("after=4710&limit=1")).query.parameters == ["org_2abc123", "4710", "1"])
        #expect(try AlertEvents(call("after=0")).query.parameters[1] == "0")
        #expect(try AlertEvents(call("after=9223372036854775807")).query.parameters[1] == "9223372036854775807")
    }

    @Test(
        "An invalid value is refused with the name of its parameter",
        arguments: [
            ("after=-1", ["after"]), ("after=00", ["after"]), ("after=01", ["after"]), ("after=", ["after"]),
            ("after=+1", ["after"]), ("after=1.0", ["after"]), ("after=9223372036854775808", ["after"]),
            ("after=1&after=1", ["after"]), ("limit=0", ["limit"]), ("limit=201", ["limit"]),
            ("after=x&limit=x", ["after", "limit"]),
        ] as [(String, [String])])
    func refused(query: String, fields: [String]) {
        #expect(errors(of: AlertEvents.self, call(query)) == fields)
    }

    @Test("The response has the contract's members")
    func response() throws {
        let state = ["sequence": "4712", "oldest": "3001", "reset": "f"]
        let first = [
            "event_sequence": "4711", "event_kind": "critical", "event_cause": "time", "event_day": "2025-06-30",
            "event_patient_id": "patient_123", "event_number": "1", "event_at": "2025-06-29T14:00:01Z",
        ]
        let second = [
            "event_sequence": "4712", "event_kind": "resolved", "event_cause": "change", "event_day": "2025-06-30",
            "event_number": "1840", "event_at": "2025-06-30T02:10:00Z",
        ]
        let endpoint = try AlertEvents(call("after=4710"))
        let rows = [first, second].map { $0.merging(state) { $1 } }
        let expected = """
            {"events": [{"sequence": 4711, "kind": "critical", "cause": "time", "day": "2025-06-30",
                "patient_id": "patient_123", "number": 1, "at": "2025-06-29T14:00:01Z"},
              {"sequence": 4712, "kind": "resolved", "cause": "change", "day": "2025-06-30", "patient_id": null,
                "number": 1840, "at": "2025-06-30T02:10:00Z"}],
             "sequence": 4712, "oldest": 3001, "reset": false}
            """
        #expect(try endpoint.answer(rows) == json(expected))
        guard case .patients(let shown) = try endpoint.respond(to: endpoint.result(rows)).disclosure else {
            Issue.record("no patients")
            return
        }
        #expect(shown.count == 1)
    }

    @Test("A reset has no events")
    func reset() throws {
        let answer = try AlertEvents(call()).answer([["sequence": "9", "oldest": "5", "reset": "t"]])
        #expect(try answer == json(#"{"events": [], "sequence": 9, "oldest": 5, "reset": true}"#))
    }
}
