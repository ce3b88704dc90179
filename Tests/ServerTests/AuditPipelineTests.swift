import API
import JWT
import PostgreSQL
import Testing

@testable import Server

@Suite("The pipeline and the audit")
struct AuditPipelineTests {
    /// A page of the list with these ids.
    private static func page(_ ids: [String]) -> Harness.Answer {
        { query throws(PostgreSQLError) in
            try query.result(rows: ids.count) { column, row in
                column == "timestamp" ? "2025-06-30T12:00:00Z" : column == "id" ? ids[row] : "2"
            }
        }
    }

    private static func text(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

    @Test("The entry has the user, the request, the patients, the address and the id, and precedes the response")
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

    @Test("The entry of a search does not contain the search text")
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

    @Test("The entry of a summary has no patients")
    func counts() throws {
        let harness = try Harness(answer: riskMetricsRow)
        _ = harness.serve(try .api("risk-metrics"))
        let entry = try #require(harness.entries.first)
        #expect(entry.patients == nil && entry.filterObject == nil)
    }

    @Test("The entry of a HEAD request shows no patient, and names the one that was requested")
    func head() throws {
        let harness = try Harness(answer: Self.page(["p_1"]))
        _ = harness.serve(try .api("patients/prioritized", method: "HEAD"))
        let detail = try Harness(answer: Self.detail)
        #expect(detail.serve(try .api("patients/p_1", method: "HEAD")).status == 200)
        #expect(detail.serve(try .api("patients/p_1")).status == 200)
        let entries = harness.entries + detail.entries
        #expect(entries.map { Self.text($0.patients) } == [nil, nil, "{p_1}"])
        #expect(entries.map(\.method) == ["HEAD", "HEAD", "GET"])
        #expect(entries.map(\.patientSought) == [nil, "p_1", nil], "a patient that is shown is in patients")
    }

    @Test("The server's own id is in the entry, the response header, the log and a logged attempt")
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

    @Test("The entry of an automatic request is marked, and otherwise complete")
    func automatic() throws {
        let harness = try Harness(answer: Self.page(["p_1"]))
        var ask = try Ask.api("patients/prioritized")
        _ = harness.serve(ask)
        ask.isAutomatic = true
        _ = harness.serve(ask)
        #expect(harness.entries.map(\.isAutomatic) == [false, true])
        #expect(harness.entries.map { Self.text($0.patients) } == ["{p_1}", "{p_1}"])
    }

    @Test("The entry of a failed request names the patient that was requested")
    func refusals() throws {
        let missing = try Harness(answer: { _ throws(PostgreSQLError) in
            guard let none = QueryResult.make(columns: ["id"], rows: []) else { throw .unexpectedResult("no memory") }
            return none
        })
        #expect(missing.serve(try .api("patients/p_9")).status == 404)
        #expect(missing.entries.map { Self.text($0.filterObject) } == [nil], "the id is only in patientSought")
        #expect(missing.entries.map(\.patients) == [nil])
        #expect(
            missing.entries.map(\.patientSought) == ["p_9"] && missing.entries.map(\.problem) == ["no-such-patient"])
        let other = try Harness()
        #expect(other.serve(try .api("patients/p_9", organization: "org_2")).status == 403)
        #expect(other.entries.map(\.organization) == ["org_1"], "the entry is of the token's organization")
        #expect(other.entries.map { Self.text($0.filterObject) } == [#"{"org_id":"org_2"}"#])
        #expect(other.entries.map(\.patientSought) == ["p_9"] && other.entries.map(\.problem) == ["other-organization"])
    }

    @Test("The entry of a refused body in another organization names its patient, if the body can be read")
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

    @Test("A long text of a client is recorded by its beginning, its length and its digest")
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

    /// The row of one patient.
    private static let detail: Harness.Answer = { query throws(PostgreSQLError) in try query.result { _, _ in "1" } }

    @Test("A request without a known user, and one that read no data, has no entry")
    func none() throws {
        let harness = try Harness(answer: { _ throws(PostgreSQLError) in throw .connectionLost("gone") })
        #expect(harness.serve(Ask(target: "/api/v1/reengagement/org_1/dashboard")).status == 401)
        #expect(harness.serve(Ask(target: "/health")).status == 200)
        #expect(harness.serve(try .api("dashboard")).status == 503)
        #expect(harness.entries.isEmpty)
    }

    @Test("A response that cannot be recorded is not sent")
    func withheld() throws {
        let harness = try Harness(admits: false, answer: Self.page(["p_1"]))
        let response = harness.serve(try .api("patients/prioritized"))
        #expect(response.status == 503 && response.header("Retry-After") == "1")
        #expect(!response.text.contains("p_1"))
        #expect(harness.observations.map(\.status) == [503])
    }

    @Test("A logged attempt is confirmed without another entry, since its own was written with it")
    func logged() throws {
        let harness = try Harness(admits: false, answer: outreachRow("created"))
        #expect(harness.serve(try .post()).status == 201)
        let replaying = try Harness(answer: outreachRow("replayed"))
        #expect(replaying.serve(try .post()).status == 200)
        #expect(replaying.entries.map { Self.text($0.patients) } == ["{p}"])
    }

    @Test("A refusal is sent even if it cannot be recorded")
    func refused() throws {
        let harness = try Harness(admits: false)
        #expect(harness.serve(try .api("dashboard", organization: "org_2")).status == 403)
    }
}
