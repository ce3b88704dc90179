import API
import JWT
import PostgreSQL
import Testing

@testable import Server

@Suite("What the pipeline has recorded")
struct AuditPipelineTests {
    /// A page of the list with these ids.
    private static func page(_ ids: [String]) -> Harness.Answer {
        { _ throws(PostgreSQLError) in
            let rows = ids.map { id in ["2025-06-30T12:00:00Z", id] + (2..<17).map { "\($0)" } }
            let columns = (0..<17).map { "c\($0)" }
            guard let result = QueryResult.make(columns: columns, rows: rows) else {
                throw .unexpectedResult("no memory")
            }
            return result
        }
    }

    private static func text(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

    @Test("who, what, whom, from where and under which id, before the answer is sent")
    func entry() throws {
        let harness = try Harness(answer: Self.page(["p_1", "p 2", "null", #"q"\"#]))
        #expect(harness.serve(try .api("patients/prioritized?limit=7&risk_level=high")).status == 200)
        let entry = try #require(harness.entries.first)
        #expect(harness.entries.count == 1)
        #expect(entry.claims.subject == "user_1" && entry.organization == "org_1")
        #expect(entry.address == "192.0.2.1" && entry.requestID == "request-1" && entry.status == 200)
        #expect(entry.method == "GET" && entry.route == "/api/v1/reengagement/{org_id}/patients/prioritized")
        #expect(Self.text(entry.filterObject) == #"{"risk_level":"high","limit":"7","continued":"no"}"#)
        #expect(Self.text(entry.patients) == #"{p_1,"p 2","null","q\"\\"}"#)
        #expect(Array(harness.steps.suffix(3)) == ["audit", "sent", "after: 200"])
    }

    @Test("of a search that there was one, and never for what")
    func searches() throws {
        let harness = try Harness(answer: Self.page(["p_1"]))
        #expect(harness.serve(try .search(#"{"q": "Secret", "sort": "last_contact"}"#)).status == 200)
        #expect(harness.serve(try .api("patients/prioritized?q=Secret&sort=last_contact")).status == 200)
        for entry in harness.entries {
            let filter = #"{"risk_level":"all","searched":"yes","sort":"last_contact","limit":"50","continued":"no"}"#
            #expect(Self.text(entry.filterObject) == filter)
            #expect(Self.text(entry.patients) == "{p_1}")
        }
        #expect(harness.entries.map { $0.route.suffix(7) } == ["/search", "ritized"])
    }

    @Test("counts without a patient")
    func counts() throws {
        let harness = try Harness(answer: riskMetricsRow)
        _ = harness.serve(try .api("risk-metrics"))
        let entry = try #require(harness.entries.first)
        #expect(entry.patients == nil && entry.filterObject == nil)
    }

    @Test("nobody shown to whom HEAD asks, and whom it asks for")
    func head() throws {
        let harness = try Harness(answer: Self.page(["p_1"]))
        _ = harness.serve(try .api("patients/prioritized", method: "HEAD"))
        let detail = try Harness(answer: Self.detail)
        #expect(detail.serve(try .api("patients/p_1", method: "HEAD")).status == 200)
        #expect(detail.serve(try .api("patients/p_1")).status == 200)
        let entries = harness.entries + detail.entries
        #expect(entries.map { Self.text($0.patients) } == [nil, nil, "{p_1}"])
        #expect(entries.map(\.method) == ["HEAD", "HEAD", "GET"])
        #expect(entries.map(\.patientSought) == [nil, "p_1", nil], "whoever is shown stands among the patients")
    }

    @Test("the server's own id beside the caller's, the same in the answer's header for nginx, the log and an attempt")
    func serverRequestID() throws {
        let harness = try Harness(answer: riskMetricsRow)
        let answers = [harness.serve(try .api("risk-metrics")), harness.serve(try .api("risk-metrics"))]
        let ids = harness.entries.map(\.serverRequestID)
        #expect(Set(ids).count == 2 && ids.allSatisfy { $0.count == 32 && $0 != "request-1" })
        #expect(answers.map { $0.header("X-Server-Request-Id") } == ids)
        #expect(harness.observations.map(\.serverRequestID) == ids)
        #expect(harness.entries.map(\.requestID) == ["request-1", "request-1"])
        let logging = try Harness { query throws(PostgreSQLError) in
            #expect(query.parameters[12] == "request-1" && query.parameters[13]?.count == 32)
            return try outreachRow("created")(query)
        }
        #expect(logging.serve(try .post()).status == 201)
    }

    @Test("a timer's mark, and the whole entry with it")
    func automatic() throws {
        let harness = try Harness(answer: Self.page(["p_1"]))
        var ask = try Ask.api("patients/prioritized")
        _ = harness.serve(ask)
        ask.isAutomatic = true
        _ = harness.serve(ask)
        #expect(harness.entries.map(\.isAutomatic) == [false, true])
        #expect(harness.entries.map { Self.text($0.patients) } == ["{p_1}", "{p_1}"])
    }

    @Test("whom a request that failed was about")
    func refusals() throws {
        let nobody = try Harness(answer: { _ throws(PostgreSQLError) in
            guard let none = QueryResult.make(columns: ["id"], rows: []) else { throw .unexpectedResult("no memory") }
            return none
        })
        #expect(nobody.serve(try .api("patients/p_9")).status == 404)
        #expect(nobody.entries.map { Self.text($0.filterObject) } == [nil], "the id stands once, in patientSought")
        #expect(nobody.entries.map(\.patients) == [nil])
        #expect(nobody.entries.map(\.patientSought) == ["p_9"] && nobody.entries.map(\.problem) == ["no-such-patient"])
        let other = try Harness()
        #expect(other.serve(try .api("patients/p_9", organization: "org_2")).status == 403)
        #expect(other.entries.map(\.organization) == ["org_1"], "under the organization that the token speaks for")
        #expect(other.entries.map { Self.text($0.filterObject) } == [#"{"org_id":"org_2"}"#])
        #expect(other.entries.map(\.patientSought) == ["p_9"] && other.entries.map(\.problem) == ["other-organization"])
    }

    @Test("whom a body in another organization was meant for, as far as it can be told")
    func refusedBodies() throws {
        let other = try Harness()
        var ask = try Ask.api("log-outreach", method: "POST", organization: "org_2")
        ask.contentType = "application/json"
        for body in [#"{"patient_id": "p_9"}"#, #"{"patient_id": 9}"#, "{", ""] {
            ask.body = Array(body.utf8)
            #expect(other.serve(ask).status == 403)
        }
        ask.body = Array(#"{"patient_id": "p_9"}"#.utf8)
        ask.contentType = "text/plain"
        #expect(other.serve(ask).status == 403)
        #expect(other.entries.map(\.patientSought) == ["p_9", nil, nil, nil, nil])
    }

    @Test("a text of a caller's in bounds: its beginning, its length and its digest")
    func bounds() throws {
        let harness = try Harness()
        let long = String(repeating: "\u{1F600}", count: 300)
        #expect(harness.serve(try .api("patients/" + Self.encoded(long))).status == 404)
        let sought = try #require(harness.entries.first?.patientSought)
        let digest = "3a49cf350579afd43144828ae3043b37a2c1ce059a5fec567b0f68b21940572a"
        #expect(sought == String(repeating: "\u{1F600}", count: 100) + "… (300 characters, sha256 \(digest))")
        #expect(AuditText.bounded(String(repeating: "é", count: 255)).unicodeScalars.count == 255)
        #expect(AuditText.digested("short") == "short")
    }

    private static func encoded(_ text: String) -> String {
        text.utf8.map { "%" + String($0, radix: 16, uppercase: true) }.joined()
    }

    /// One patient's whole row.
    private static let detail: Harness.Answer = { _ throws(PostgreSQLError) in
        let columns = (0..<24).map { "c\($0)" }
        guard let result = QueryResult.make(columns: columns, rows: [columns.map { _ in "1" }]) else {
            throw .unexpectedResult("no memory")
        }
        return result
    }

    @Test("nothing where nobody is known, or nothing was looked at")
    func none() throws {
        let harness = try Harness(answer: { _ throws(PostgreSQLError) in throw .connectionLost("gone") })
        #expect(harness.serve(Ask(target: "/api/v1/reengagement/org_1/dashboard")).status == 401)
        #expect(harness.serve(Ask(target: "/health")).status == 200)
        #expect(harness.serve(try .api("dashboard")).status == 503)
        #expect(harness.entries.isEmpty)
    }

    @Test("an answer that cannot be recorded is not given")
    func withheld() throws {
        let harness = try Harness(admits: false, answer: Self.page(["p_1"]))
        let response = harness.serve(try .api("patients/prioritized"))
        #expect(response.status == 503 && response.header("Retry-After") == "1")
        #expect(!response.text.contains("p_1"))
        #expect(harness.observations.map(\.status) == [503])
    }

    @Test("an attempt that was logged is answered all the same: its entry was written with it")
    func logged() throws {
        let harness = try Harness(admits: false, answer: outreachRow("created"))
        #expect(harness.serve(try .post()).status == 201)
        let replaying = try Harness(answer: outreachRow("replayed"))
        #expect(replaying.serve(try .post()).status == 200)
        #expect(replaying.entries.map { Self.text($0.patients) } == ["{p}"])
    }

    @Test("a refusal is told even where it cannot be recorded")
    func refused() throws {
        let harness = try Harness(admits: false)
        #expect(harness.serve(try .api("dashboard", organization: "org_2")).status == 403)
    }
}
