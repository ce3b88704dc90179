import API
import PostgreSQL
import Testing

@testable import Server

@Suite("What only an administrator may do")
struct AdministratorPipelineTests {
    private static let base = "/api/v1/reengagement/org_1/settings"

    private func ask(_ method: String, _ path: String = "", role: String?, _ claims: [String: Any?] = [:]) throws -> Ask
    {
        let token = try SigningKey.shared.get().token(claims.merging(["org_role": role]) { $1 })
        return Ask(method: method, target: Self.base + path, authorization: "Bearer " + token)
    }

    private static func row(_ result: String) -> Harness.Answer {
        { query throws(PostgreSQLError) in
            try query.result { column, _ in column == "result" ? result : nil }
        }
    }

    @Test(
        "A member is refused before the body is read, and without asking the database",
        arguments: ["org:member", "Admin", "", nil])
    func member(role: String?) throws {
        for (method, path) in [("PUT", ""), ("POST", "/webhook/rotate"), ("POST", "/webhook/test")] {
            let harness = try Harness(answer: Self.row("stored"))
            let response = harness.serve(try ask(method, path, role: role))
            #expect(response.status == 403)
            #expect(response.object["type"] as? String == "/problems/not-an-administrator")
            #expect(!harness.steps.contains("body") && harness.questions.isEmpty)
            #expect(harness.entries.map(\.problem) == ["not-an-administrator"])
        }
    }

    @Test("The role of another organization's administrator does not matter")
    func otherOrganization() throws {
        let response = try Harness().serve(ask("PUT", role: "org:admin", ["org_id": "org_2"]))
        #expect(response.status == 403)
        #expect(response.object["type"] as? String == "/problems/other-organization")
    }

    @Test("Both versions of tokens name the role", arguments: ["admin", "org:admin"])
    func versions(role: String) throws {
        for claims: [String: Any?] in [
            ["org_role": role], ["v": 2, "org_id": nil, "o": ["id": "org_1", "rol": role]],
        ] {
            let harness = try Harness(answer: Self.row("no_webhook"))
            var ask = Ask(method: "POST", target: Self.base + "/webhook/rotate")
            ask.authorization = "Bearer " + (try SigningKey.shared.get().token(claims))
            #expect(harness.serve(ask).status == 409)
        }
        // A claim of the other version says nothing.
        var ask = Ask(method: "POST", target: Self.base + "/webhook/rotate")
        ask.authorization =
            "Bearer "
            + (try SigningKey.shared.get().token([
                "v": 2, "org_id": nil, "org_role": role, "o": ["id": "org_1", "rol": "member"],
            ]))
        #expect(try Harness().serve(ask).status == 403)
    }

    @Test("A POST without a defined body takes none without Content-Type, or an object")
    func bodies() throws {
        for (type, body, status) in [
            (nil, "", 409), ("", "", 409), ("application/json", "{}", 409), ("application/json", #"{"x": [1]}"#, 409),
            (nil, "{}", 415), ("text/plain", "", 415), ("text/plain", "{}", 415), ("application/json", "", 400),
            ("application/json", "[]", 400), ("application/json", String(repeating: " ", count: 65537), 413),
            (nil, String(repeating: " ", count: 65537), 415),
        ] as [(String?, String, Int)] {
            let harness = try Harness(answer: Self.row("no_webhook"))
            var ask = try ask("POST", "/webhook/test", role: "org:admin")
            (ask.contentType, ask.body) = (type, Array(body.utf8))
            #expect(harness.serve(ask).status == status, "\(type ?? "none") \(body.prefix(10))")
        }
    }

    @Test(
        "Reading the settings tells the database whether an administrator asks",
        arguments: ["org:admin", "org:member"])
    func reading(role: String) throws {
        let harness = try Harness { query throws(PostgreSQLError) in
            try query.result { column, _ in column == "updated_by" ? query.parameters[1] : nil }
        }
        let response = harness.serve(try ask("GET", role: role))
        #expect(response.status == 200)
        #expect(response.object["updated_by"] as? String == (role == "org:admin" ? "true" : "false"))
    }
}
