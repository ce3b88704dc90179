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
        #expect(entry.principal.subject == "user_1" && entry.organization == "org_1")
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

    @Test("nobody shown to whom HEAD asks")
    func head() throws {
        let harness = try Harness(answer: Self.page(["p_1"]))
        _ = harness.serve(try .api("patients/prioritized", method: "HEAD"))
        #expect(harness.entries.map(\.patients) == [nil])
        #expect(harness.entries.map(\.method) == ["HEAD"])
    }

    @Test("whom a request that failed was about")
    func refusals() throws {
        let nobody = try Harness(answer: { _ throws(PostgreSQLError) in
            guard let none = QueryResult.make(columns: ["id"], rows: []) else { throw .unexpectedResult("no memory") }
            return none
        })
        #expect(nobody.serve(try .api("patients/p_9")).status == 404)
        #expect(nobody.entries.map { Self.text($0.filterObject) } == [#"{"patient_id":"p_9"}"#])
        #expect(nobody.entries.map(\.patients) == [nil])
        let other = try Harness()
        #expect(other.serve(try .api("patients/p_9", organization: "org_2")).status == 403)
        #expect(other.entries.map(\.organization) == ["org_1"], "under the organization that the token speaks for")
        #expect(other.entries.map { Self.text($0.filterObject) } == [#"{"org_id":"org_2"}"#])
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
