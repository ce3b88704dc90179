import API
import JWT
import PostgreSQL
import Testing

@testable import Server

@Suite("The errors of the pipeline")
struct PipelineErrorTests {
    @Test("A request with all errors, which are removed one by one, gets them in the order of the contract")
    func order() throws {
        let limited = try Harness(refusal: Problem.tooManyRequests(retryAfter: 7))
        let unknown = try Harness(answer: outreachRow("no_patient"))
        var ask = Ask(
            method: "PUT", target: "/api/v1/reengagement/org_2/log-outreach/", authorization: "Bearer nonsense",
            contentType: "text/plain", idempotencyKey: "", body: [UInt8](repeating: 0x5B, count: 64 * 1024 + 1))
        #expect(limited.serve(ask).status == 404)
        ask.target.removeLast()
        let method = limited.serve(ask)
        #expect(method.status == 405)
        #expect(method.header("Allow") == "POST, OPTIONS")
        ask.method = "POST"
        #expect(limited.serve(ask).status == 401)
        ask.authorization = try Ask.post().authorization
        let rate = limited.serve(ask)
        #expect(rate.status == 429)
        #expect(rate.header("Retry-After") == "7")
        #expect(unknown.serve(ask).status == 403)
        ask.target = try Ask.post().target
        #expect(unknown.serve(ask).status == 415)
        ask.contentType = "application/json"
        #expect(unknown.serve(ask).status == 413)
        ask.body.removeLast()
        #expect(unknown.serve(ask).status == 400)
        ask.body = Array("{}".utf8)
        let fields = unknown.serve(ask)
        #expect(fields.status == 422)
        let errors = fields.object["errors"] as? [[String: String]]
        #expect(errors?.map { $0["field"] } == ["patient_id", "method", "outcome", "Idempotency-Key"])
        #expect(unknown.questions == [])
        (ask.body, ask.idempotencyKey) = (try Ask.post().body, "key")
        #expect(unknown.serve(ask).status == 404)
        #expect(unknown.questions.count == 1)
        #expect(try Harness(answer: outreachRow("created")).serve(ask).status == 201)
    }

    @Test("No body is read before it is needed")
    func unreadBody() throws {
        let harness = try Harness(answer: riskMetricsRow)
        var ask = try Ask.api("risk-metrics")
        ask.body = Array("{}".utf8)
        _ = harness.serve(ask)
        var foreign = try Ask.post()
        // The body of an attempt is read here, because the audit needs its patient.
        foreign.target = "/api/v1/reengagement/org_2/patients/search"
        _ = harness.serve(foreign)
        var untyped = try Ask.post()
        untyped.contentType = nil
        _ = harness.serve(untyped)
        #expect(!harness.steps.contains("body"))
    }

    @Test("A body of exactly 64 KiB is accepted, and an incomplete one is refused with 400")
    func bodies() throws {
        let harness = try Harness(answer: outreachRow("created"))
        var ask = try Ask.post()
        ask.body += [UInt8](repeating: 0x20, count: 64 * 1024 - ask.body.count)
        #expect(harness.serve(ask).status == 201)
        ask.body.append(0x20)
        #expect(harness.serve(ask).status == 413)
        ask = try Ask.post()
        ask.breaksOff = true
        #expect(harness.serve(ask).status == 400)
    }

    @Test("A refusal with 401 tells a missing token from an invalid one, and names the reason")
    func unauthorized() throws {
        let harness = try Harness()
        var ask = try Ask.api("dashboard")
        for header in [nil, "", "Basic dXNlcjpwYXNz", "Bearer", "Bearer "] {
            ask.authorization = header
            let response = harness.serve(ask)
            #expect(response.status == 401)
            #expect(response.header("WWW-Authenticate") == "Bearer")
        }
        let expired = try SigningKey.shared.get().token(["exp": 1_000_000])
        for token in ["x", "a.b.c", expired, String(repeating: "a", count: 100_000), try SigningKey().token()] {
            ask.authorization = "Bearer \(token)"
            let response = harness.serve(ask)
            #expect(response.status == 401)
            #expect(response.header("WWW-Authenticate") == "Bearer error=\"invalid_token\"")
            #expect(response.object["detail"] as? String != "")
            #expect(!response.text.contains(token.suffix(40)) || token == "x")
        }
        ask.authorization = "Bearer \(expired)"
        #expect(harness.serve(ask).object["detail"] as? String == TokenError.Rule.expired.text)
        #expect(harness.questions == [])
    }

    @Test("A token gives access only to the organization that is active in it")
    func forbidden() throws {
        let harness = try Harness(answer: riskMetricsRow)
        let key = try SigningKey.shared.get()
        func status(_ claims: [String: Any?], _ organization: String) throws -> Int {
            var ask = try Ask.api("risk-metrics", organization: organization)
            ask.authorization = "bearer \(try key.token(claims))"
            return harness.serve(ask).status
        }
        #expect(try status(["org_id": nil], "org_1") == 403)
        #expect(try status([:], "org_2") == 403)
        #expect(try status([:], "ORG_1") == 403)
        #expect(try status([:], "org_1%20") == 403)
        #expect(try status(["v": 2], "org_1") == 403)
        #expect(try status(["v": 2, "o": ["id": "org_2"]], "org_1") == 403)
        #expect(try status(["org_id": "caf\u{E9}"], "cafe%CC%81") == 403)
        #expect(harness.questions == [])
        #expect(try status(["v": 2, "o": ["id": "org_2"]], "org_2") == 200)
        #expect(try status(["org_id": "caf\u{E9}"], "caf%C3%A9") == 200)
        #expect(
            harness.questions.map { Array($0.organization.utf8) } == [Array("org_2".utf8), Array("caf\u{E9}".utf8)])
    }

    @Test("A search text that folds to nothing is refused with 422 for q, and is not logged")
    func foldsToNothing() throws {
        let harness = try Harness { _ throws(PostgreSQLError) in throw .refused(SQLState("RE422"), "Secret") }
        for ask in [try Ask.search(), try Ask.api("patients/prioritized?q=Secret")] {
            let response = harness.serve(ask)
            #expect(response.status == 422)
            let errors = response.object["errors"] as? [[String: String]]
            #expect(errors?.map { $0["field"] } == ["q"])
        }
        #expect(harness.log.text().isEmpty)
        #expect(harness.observations.allSatisfy { $0.databaseError == nil })
        // This code has no meaning for other endpoints.
        #expect(harness.serve(try .api("risk-metrics")).status == 500)
    }

    @Test("An unexpected error is logged completely, and its response contains no detail")
    func internalErrors() throws {
        struct Unforeseen: Error, CustomStringConvertible { let description = "SELECT secret FROM patients" }
        let harnesses = [
            try Harness { _ throws(PostgreSQLError) in throw .refused(SQLState("42501"), "SELECT secret FROM patients")
            },
            try Harness { _ throws(PostgreSQLError) in throw .unexpectedResult("SELECT secret FROM patients") },
            try Harness(refusal: Unforeseen()),
        ]
        for harness in harnesses {
            let response = harness.serve(try .api("risk-metrics"))
            #expect(response.status == 500)
            #expect(!response.text.contains("secret"))
            #expect(Set(response.object.keys) == ["type", "title", "status", "detail", "request_id"])
            #expect(response.header("Retry-After") == nil)
            let lines = try harness.log.objects()
            #expect(lines.map { $0["level"] as? String } == ["error"])
            #expect(lines.first?["request_id"] as? String == "request-1")
            #expect(lines.first?["route"] as? String == "/api/v1/reengagement/{org_id}/risk-metrics")
            #expect((lines.first?["reason"] as? String)?.contains("SELECT secret FROM patients") == true)
        }
        #expect(harnesses.map { $0.observations.first?.databaseError } == ["refused", "unexpected_result", nil])
    }

    @Test("A result that does not fit the query is an internal error")
    func wrongRows() throws {
        let harness = try Harness { _ throws(PostgreSQLError) in
            guard let empty = QueryResult.make(columns: ["a"], rows: []) else { throw .unexpectedResult("no memory") }
            return empty
        }
        #expect(harness.serve(try .api("risk-metrics")).status == 500)
        #expect(try harness.log.objects().count == 1)
    }

    @Test(
        "A temporary error of the database is reported with 503 and Retry-After",
        arguments: [
            PostgreSQLError.connectionLost("secret"), .acquireTimeout, .statementTimeout,
            .unavailable(SQLState("57P03"), "secret"), .unavailable(.readOnlyTransaction, "secret"),
        ])
    func temporary(error: PostgreSQLError) throws {
        let harness = try Harness { _ throws(PostgreSQLError) in throw error }
        for ask in [try Ask.api("risk-metrics"), try Ask.post(), Ask(target: "/ready")] {
            let response = harness.serve(ask)
            #expect(response.status == 503)
            #expect(response.header("Retry-After").flatMap { Int($0) }.map { $0 > 0 } == true)
            #expect(!response.text.contains("secret"))
        }
        #expect(harness.observations.map(\.databaseError) == [error.kind, error.kind, error.kind])
        #expect(try harness.log.objects().map { $0["level"] as? String } == ["warning", "warning", "warning"])
    }

    @Test(
        "Each cause of a database error has its own problem type, also at /ready",
        arguments: [
            ("53100", "database-disk-full"), ("25006", "database-read-only"), ("53300", "database-at-limit"),
            ("53200", "database-at-limit"), ("28000", "database-refuses-login"), ("55P03", "database-busy"),
            ("40P01", "database-busy"), ("57P03", "database-away"), ("58P01", "database-away"),
        ])
    func causes(code: String, name: String) throws {
        let harness = try Harness { _ throws(PostgreSQLError) in throw .unavailable(SQLState(code), "secret") }
        for ask in [try Ask.api("risk-metrics"), try Ask.post(), Ask(target: "/ready")] {
            let response = harness.serve(ask)
            #expect(response.status == 503)
            #expect(response.object["type"] as? String == "/problems/\(name)")
        }
        #expect(try Set(harness.log.objects().map { $0["class"] as? String }).count == 1)
    }

    @Test("A missing time zone of an organization is reported with the name of its setting")
    func unknownTimeZone() throws {
        let harness = try Harness { _ throws(PostgreSQLError) in throw .unavailable(.unknownTimeZone, "secret") }
        var head = try Ask.api("risk-metrics")
        head.method = "HEAD"
        for ask in [try Ask.api("risk-metrics"), head, try Ask.post()] {
            let response = harness.serve(ask)
            #expect(response.status == 503)
            #expect(response.header("Retry-After") == "60")
            #expect(response.text.contains("time_zone"))
            #expect(!response.text.contains("secret"))
        }
    }

    @Test("A token without fetched keys is refused with 503 and Retry-After")
    func noKeys() throws {
        // No server listens on port 9 of the loopback.
        let keys = try KeySet(source: .jwksURL("https://127.0.0.1:9/jwks.json", caFile: nil), logger: quietLogger)
        try keys.start()
        defer { keys.stop() }
        let verifier = Verifier(keys: keys, policy: Policy(issuer: testIssuer))
        let harness = try Harness(authenticator: Authenticator(verifier: verifier))
        let response = harness.serve(try .api("risk-metrics"))
        #expect(response.status == 503)
        #expect(response.header("Retry-After") == "5")
        #expect(harness.serve(Ask(target: "/health")).status == 200)
    }
}
