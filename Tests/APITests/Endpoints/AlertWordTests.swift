import JSON
import PostgreSQL
import Testing

@testable import API

@Suite("The endpoints alerts/acknowledge and alerts/reopen")
struct AlertWordTests {
    private static let least = #""patient_id": "patient_123", "critical_since": "2025-06-28""#
    private static let types: [any AlertWord.Type] = [AcknowledgeAlert.self, ReopenAlert.self]

    private func refusedFields(_ type: any AlertWord.Type, _ body: String) -> [String]? {
        errors(of: type, call(body: body))
    }

    @Test("The query has the sent values, the token's subject and the defaults for missing values")
    func query() throws {
        let nobody = [String?](repeating: nil, count: 6)
        #expect(
            try AcknowledgeAlert(call(body: "{\(Self.least)}")).query.parameters
                == ["org_2abc123", "patient_123", "2025-06-28", nil, "", "user_1"] + nobody)
        let most = #"{\#(Self.least), "until": "2025-07-07", "note": "Ō\n", "by": "user_9", "until_day": 1}"#
        #expect(
            try AcknowledgeAlert(call(body: most)).query.parameters.prefix(6)
                == ["org_2abc123", "patient_123", "2025-06-28", "2025-07-07", "Ō\n", "user_1"])
        let nulls = #"{\#(Self.least), "until": null, "note": null}"#
        #expect(try AcknowledgeAlert(call(body: nulls)).query.parameters[3...4] == [nil, ""])
        #expect(
            try ReopenAlert(call(body: #"{\#(Self.least), "note": 7}"#)).query.parameters
                == ["org_2abc123", "patient_123", "2025-06-28", "user_1"] + nobody)
    }

    @Test("The query has the caller's identity and address for the audit")
    func caller() throws {
        var call = Call(
            organization: "org_1", subject: "user_1", request: request("/"), body: Array("{\(Self.least)}".utf8))
        (call.sessionID, call.role, call.actor) = ("sess_1", "org:admin", "user_2")
        (call.address, call.requestID, call.serverRequestID) = ("192.0.2.1", "r", "s")
        for type in Self.types {
            let parameters = try type.init(call).query.parameters
            #expect(parameters.suffix(6) == ["sess_1", "org:admin", "user_2", "192.0.2.1", "r", "s"])
        }
    }

    @Test("Each invalid value is refused with the name of its field alone")
    func eachError() {
        for type in Self.types {
            #expect(refusedFields(type, "{}") == ["patient_id", "critical_since"])
            for id in ["null", "\"\"", "7", "\"prioritized\"", #""a/..""#, #""\ud800""#, #""a\u0000""#] {
                #expect(
                    refusedFields(type, #"{"patient_id": \#(id), "critical_since": "2025-06-28"}"#) == ["patient_id"])
            }
            for day in ["null", "\"\"", "20250628", #""2025-06-31""#, #""28.6.2025""#, #""2025-06-28\u0000""#] {
                #expect(
                    refusedFields(type, #"{"patient_id": "p", "critical_since": \#(day)}"#) == ["critical_since"])
            }
            for body in ["", "[]", "{", "null"] { #expect(refusedFields(type, body) == ["status 400"]) }
        }
        for until in ["\"\"", "7", "false", #""2025-02-30""#, #""2025-07-07T00:00:00Z""#] {
            #expect(refusedFields(AcknowledgeAlert.self, #"{\#(Self.least), "until": \#(until)}"#) == ["until"])
        }
        for note in ["7", "[]", #""\ud800""#, #""a\u0000""#] {
            #expect(refusedFields(AcknowledgeAlert.self, #"{\#(Self.least), "note": \#(note)}"#) == ["note"])
        }
        #expect(
            refusedFields(AcknowledgeAlert.self, #"{"until": "x", "note": 1, "note": 2}"#)
                == ["patient_id", "critical_since", "until", "note"])
    }

    @Test("A note may have 1,000 code points, with any number of bytes or letters")
    func longNotes() {
        for character in ["x", "é", "😀", "\u{301}"] {
            let note = String(repeating: character, count: 1000)
            #expect(refusedFields(AcknowledgeAlert.self, #"{\#(Self.least), "note": "\#(note)"}"#) == nil)
            #expect(refusedFields(AcknowledgeAlert.self, #"{\#(Self.least), "note": "\#(note)x"}"#) == ["note"])
        }
    }

    @Test("The audit's filter has the patient and the days, and never the note")
    func filter() throws {
        let body = #"{\#(Self.least), "until": "2025-07-07", "note": "Secret"}"#
        let acknowledge = try AcknowledgeAlert(call(body: body))
        #expect(
            acknowledge.filter.map { "\($0.name)=\($0.value)" }
                == ["patient_id=patient_123", "critical_since=2025-06-28", "until=2025-07-07"])
        #expect(acknowledge.patientSought == "patient_123")
        #expect(AcknowledgeAlert.patientSought { Array(#"{"patient_id": "p", "until": 1}"#.utf8) } == "p")
        #expect(
            try ReopenAlert(call(body: body)).filter.map { "\($0.name)=\($0.value)" }
                == ["patient_id=patient_123", "critical_since=2025-06-28"])
    }

    private func respond(_ row: [String: String]) throws -> Response {
        let endpoint = try AcknowledgeAlert(call(body: "{\(Self.least)}"))
        return try endpoint.respond(to: endpoint.result([row]))
    }

    @Test("The response is the alert. What the database has recorded is not recorded again")
    func response() throws {
        let row = [
            "id": "patient_123", "name": "John", "risk_level": "critical", "risk_score": "85",
            "critical_since": "2025-06-28", "days_since_last_contact": "47", "action_priority": "1",
            "acknowledged_by": "user_1", "acknowledged_at": "2025-06-30T09:00:00Z", "acknowledged_until": "2025-07-07",
            "acknowledged_note": "",
        ]
        let written = try respond(row.merging(["result": "written"]) { $1 })
        #expect(written.status == 200)
        guard case .recorded = written.disclosure else {
            Issue.record("recorded twice")
            return
        }
        let alert = try json(written.body).object
        #expect(alert?.members.count == 11)
        #expect(alert?["acknowledged"]?.object?["until"]?.text == "2025-07-07")
        let unchanged = try respond(row.merging(["result": "unchanged"]) { $1 })
        #expect(unchanged.body == written.body)
        guard case .patients = unchanged.disclosure else {
            Issue.record("not recorded")
            return
        }
    }

    @Test("A refusal becomes a problem of its own")
    func refusals() throws {
        #expect(problem { _ = try respond(["result": "no_patient"]) }?.kind == .noSuchPatient)
        let until = problem { _ = try respond(["result": "bad_until"]) }
        #expect(until?.kind == .badField && until?.errors.map(\.field) == ["until"])
        let over = problem { _ = try respond(["result": "over", "id": "patient_123"]) }
        #expect(over?.kind == .alertOver && over?.status == 409)
        let other = problem { _ = try respond(["result": "over", "critical_since": "2025-06-29"]) }
        #expect(other?.detail.contains("2025-06-29") == true)
        #expect(throws: EndpointError.self) { try respond(["result": "deleted"]) }
        #expect(throws: EndpointError.self) { try respond([:]) }
    }
}
