import JSON
import Testing

@testable import API

@Suite("The endpoint log-outreach")
struct LogOutreachTests {
    /// A valid body with the members changed. Nil removes a member.
    private static func body(_ changes: KeyValuePairs<String, String?> = [:]) -> String {
        var members = [("patient_id", "\"patient_123\""), ("method", "\"sms\""), ("outcome", "\"success\"")]
        for (name, value) in changes {
            members.removeAll { $0.0 == name }
            if let value { members.append((name, value)) }
        }
        return "{" + members.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
    }

    private func refusedFields(_ changes: KeyValuePairs<String, String?> = [:], key: String? = nil) -> [String]? {
        errors(of: LogOutreach.self, call(body: Self.body(changes), idempotencyKey: key))
    }

    @Test("The query has the sent values, the token's subject and the defaults for missing values")
    func query() throws {
        let least = try LogOutreach(call(body: Self.body())).query
        #expect(
            least.parameters == ["org_2abc123", "patient_123", "sms", "success", "false", "", "user_1"]
                + [String?](repeating: nil, count: 7))
        let body = Self.body([
            "method": "\"phone\"", "outcome": "\"no_response\"", "opened": "true", "notes": "\"Ō\\n'\"",
            "logged_by": "\"user_9\"", "organization_id": "\"org_2\"", "outreach_id": "7",
        ])
        let most = try LogOutreach(call(body: body, idempotencyKey: "key 1")).query
        #expect(
            most.parameters.prefix(8) == [
                "org_2abc123", "patient_123", "phone", "no_response", "true", "Ō\n'", "user_1", "key 1",
            ])
    }

    @Test("The query has the caller's identity and address for the audit")
    func caller() throws {
        var call = Call(
            organization: "org_1", subject: "user_1", request: request("/"), body: Array(Self.body().utf8))
        (call.sessionID, call.role, call.actor) = ("sess_1", "org:admin", "user_2")
        (call.address, call.requestID, call.serverRequestID) = ("192.0.2.1", "r", "s")
        #expect(
            try LogOutreach(call).query.parameters.suffix(6) == [
                "sess_1", "org:admin", "user_2", "192.0.2.1", "r", "s",
            ])
    }

    @Test("null means the default")
    func nulls() throws {
        let query = try LogOutreach(call(body: Self.body(["opened": "null", "notes": "null"]))).query
        #expect(query.parameters[4...5] == ["false", ""])
    }

    @Test(
        "Every method and outcome of the contract is accepted", arguments: ["sms", "email", "phone"],
        ["success", "no_response", "failed"])
    func words(method: String, outcome: String) throws {
        let body = Self.body(["method": "\"\(method)\"", "outcome": "\"\(outcome)\""])
        #expect(try LogOutreach(call(body: body)).query.parameters[2...3] == [method, outcome])
    }

    @Test("Notes may have 4,000 code points, with any number of bytes or letters")
    func longNotes() throws {
        for character in ["x", "é", "😀", "\u{301}", "\\n", "\\ud83d\\ude00"] {
            let notes = String(repeating: character, count: 4000)
            #expect(refusedFields(["notes": "\"\(notes)\""]) == nil)
            #expect(refusedFields(["notes": "\"\(notes)x\""]) == ["notes"])
        }
        let query = try LogOutreach(call(body: Self.body(["notes": "\"\(String(repeating: "😀", count: 4000))\""])))
            .query
        #expect(query.parameters[5]?.utf8.count == 16_000)
    }

    @Test("An id that no path can contain is refused", arguments: [".", "..", "prioritized", "x/.", "x/.."])
    func impossibleIDs(id: String) {
        #expect(refusedFields(["patient_id": "\"\(id)\""]) == ["patient_id"])
        #expect(refusedFields(["patient_id": "\"\(id)x\""]) == nil)
    }

    @Test("A patient's id may have 1 to 200 code points")
    func patientIDs() {
        for character in ["x", "é", "😀", "\u{301}"] {
            let longest = String(repeating: character, count: 200)
            #expect(refusedFields(["patient_id": "\"\(longest)\""]) == nil)
            #expect(refusedFields(["patient_id": "\"\(longest)x\""]) == ["patient_id"])
        }
    }

    @Test("Every invalid field is named, in the order of the contract")
    func everyError() {
        let body =
            #"{"patient_id":"","method":"fax","outcome":"Success","opened":"yes","notes":"\u0000","notes":"","logged_by":1}"#
        let fields = errors(of: LogOutreach.self, call(body: body, idempotencyKey: "é"))
        #expect(fields == ["patient_id", "method", "outcome", "opened", "notes", "Idempotency-Key"])
        #expect(errors(of: LogOutreach.self, call(body: "{}")) == ["patient_id", "method", "outcome"])
    }

    @Test("Each invalid value is refused with the name of its field alone")
    func eachError() {
        for value in [nil, "null", "\"\"", "7", "[]", #""\ud800""#, #""a\u0000""#] {
            #expect(refusedFields(["patient_id": value]) == ["patient_id"])
        }
        for value in [nil, "null", "\"SMS\"", "\"sms,email\"", "1"] {
            #expect(refusedFields(["method": value]) == ["method"])
        }
        for value in [nil, "null", "\"no response\"", "true"] {
            #expect(refusedFields(["outcome": value]) == ["outcome"])
        }
        for value in ["1", "\"true\"", "[]"] { #expect(refusedFields(["opened": value]) == ["opened"]) }
        for value in ["1", "false", "{}", #""\udfff""#] { #expect(refusedFields(["notes": value]) == ["notes"]) }
    }

    @Test(
        "A body that is not an object is refused with 400 before any 422",
        arguments: ["", "[]", "{", "null", "{\"patient_id\": \"\", }"])
    func noObject(body: String) {
        #expect(errors(of: LogOutreach.self, call(body: body, idempotencyKey: "")) == ["status 400"])
    }

    @Test("An idempotency key has 1 to 255 printable ASCII characters")
    func keys() throws {
        for key in ["1", " ", "~", "a b;c=\"d\"", String(repeating: "k", count: 255)] {
            #expect(try LogOutreach(call(body: Self.body(), idempotencyKey: key)).query.parameters[7] == key)
        }
        for key in ["", String(repeating: "k", count: 256), "é", "a\tb", "a\u{7F}", "\0", "\n", "ﬁ"] {
            #expect(refusedFields(key: key) == ["Idempotency-Key"])
        }
        let notUTF8 = Call(
            organization: "o", subject: "s", request: request("/", idempotencyKey: [0x61, 0xFF]),
            body: Array(Self.body().utf8))
        #expect(errors(of: LogOutreach.self, notUTF8) == ["Idempotency-Key"])
    }

    @Test("The key in the body follows the same rules and must equal the one in the header")
    func keyInBody() throws {
        for key in ["1", " ", "~", "a, b", String(repeating: "k", count: 255)] {
            let body = Self.body(["idempotency_key": "\"\(key)\""])
            #expect(try LogOutreach(call(body: body)).query.parameters[7] == key)
            #expect(try LogOutreach(call(body: body, idempotencyKey: key)).query.parameters[7] == key)
            #expect(errors(of: LogOutreach.self, call(body: body, idempotencyKey: "other")) == ["idempotency_key"])
        }
        for value in [
            #""""#, "\"\(String(repeating: "k", count: 256))\"", #""é""#, #""a\tb""#, "7", "[]", "false", #""\u0000""#,
        ] {
            #expect(refusedFields(["idempotency_key": value]) == ["idempotency_key"])
        }
        let none = try LogOutreach(call(body: Self.body(["idempotency_key": "null"]), idempotencyKey: "h"))
        #expect(none.query.parameters[7] == "h")
        #expect(try LogOutreach(call(body: Self.body(["idempotency_key": "null"]))).query.parameters[7] == nil)
    }

    @Test("A repeated Idempotency-Key header is refused")
    func repeatedKey() {
        let twice = Request(
            method: "POST", target: Array("/".utf8), idempotencyKey: Array("a, a".utf8),
            repeatedHeaders: [.idempotencyKey])
        let call = Call(organization: "o", subject: "s", request: twice, body: Array(Self.body().utf8))
        #expect(errors(of: LogOutreach.self, call) == ["Idempotency-Key"])
    }

    @Test("A key that was used for another request is named by its header or its member")
    func usedKey() throws {
        for (body, key, field) in [
            (Self.body(["idempotency_key": #""k""#]), nil, "idempotency_key"), (Self.body(), "k", "Idempotency-Key"),
        ] {
            let endpoint = try LogOutreach(call(body: body, idempotencyKey: key))
            let rows = try endpoint.result([["result": "conflict", "outreach_id": Self.id]])
            let conflict = problem { _ = try endpoint.respond(to: rows) }
            #expect(conflict?.errors.map(\.field) == [field])
            #expect(conflict?.kind == .idempotencyKeyUsed)
        }
    }

    @Test("The patient's id is forwarded byte by byte")
    func composition() throws {
        for id in ["caf\u{E9}", "cafe\u{301}"] {
            let query = try LogOutreach(call(body: Self.body(["patient_id": "\"\(id)\""]))).query
            #expect(query.parameters[1]?.utf8.elementsEqual(id.utf8) == true)
        }
    }

    private static let id = "00000000-0000-4000-8000-000000000001"

    private func respond(_ row: [String: String]) throws -> Response {
        let endpoint = try LogOutreach(call(body: Self.body()))
        return try endpoint.respond(to: endpoint.result([row]))
    }

    @Test(
        "A new row is reported with 201, and an existing one with 200 and the same members",
        arguments: [("created", 201), ("replayed", 200)])
    func logged(result: String, status: Int) throws {
        let response = try respond(["result": result, "outreach_id": Self.id, "logged_at": "2025-06-30T12:00:00Z"])
        #expect(response.status == status)
        #expect(response.contentType == "application/json")
        let answer = try #require(try json(response.body).object)
        #expect(answer.members.count == 4)
        #expect(answer["success"] == .bool(true))
        #expect(answer["outreach_id"]?.text == Self.id)
        #expect(answer["logged_at"]?.text == "2025-06-30T12:00:00Z")
        #expect(answer["message"]?.text?.isEmpty == false)
    }

    @Test("An unknown patient is reported with 404, and a key used for another request with 422")
    func refused() {
        #expect(problem { _ = try respond(["result": "no_patient"]) }?.status == 404)
        let conflict = problem { _ = try respond(["result": "conflict", "outreach_id": Self.id]) }
        #expect(conflict?.status == 422)
        #expect(conflict?.kind == .idempotencyKeyUsed)
    }

    @Test("An unexpected result is an internal error")
    func wrongRows() throws {
        #expect(throws: EndpointError.self) { try respond([:]) }
        #expect(throws: EndpointError.self) { try respond(["result": "deleted"]) }
        let endpoint = try LogOutreach(call(body: Self.body()))
        #expect(throws: EndpointError.self) { try endpoint.respond(to: endpoint.result([])) }
    }
}
