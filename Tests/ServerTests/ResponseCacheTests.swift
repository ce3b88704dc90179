import API
import PostgreSQL
import Testing
import Threads

@testable import Server

@Suite("The cache of responses")
struct ResponseCacheTests {
    /// A database with a state for each organization. Nil means that the derived data is not current.
    private final class Database: Sendable {
        private let content = Monitor(
            (state: "1" as String?, now: "2025-06-30T12:00:00Z", critical: 1, asked: [String]()))

        /// Changes the state and the figures, as a write does.
        func change(state: String?, critical: Int) {
            content.withLock {
                $0.state = state
                $0.critical = critical
            }
        }

        func set(now: String) { content.withLock { $0.now = now } }

        /// The statements since the last call. p is the probe.
        var asked: [String] {
            content.withLock { content in
                defer { content.asked = [] }
                return content.asked
            }
        }

        func run(_ probe: Statement, _ query: Query?, _ organization: String) throws(PostgreSQLError) -> BoundResults {
            let now = content.withLock { content in
                content.asked.append("p" + (query.map { " \($0.statement.name)" } ?? ""))
                return (content.state, content.now, content.critical)
            }
            if now.0 == "away" { throw .connectionLost("gone") }
            let states = now.0.map { [["\(organization) \($0)", now.1] as [String?]] } ?? []
            guard let probed = QueryResult.make(columns: ResponseCache.Column.names, rows: states) else {
                throw .unexpectedResult("no memory")
            }
            guard let query else { return BoundResults(binding: probed, query: nil) }
            let rows = try query.result(rows: query.statement.name == "patient_detail" ? 0 : 1) { column, _ in
                column == "critical" ? "\(now.2)" : column == "last_updated" ? now.1 : "2"
            }
            return BoundResults(binding: probed, query: rows)
        }
    }

    private let database = Database()
    private let cache: ResponseCache
    private let harness: Harness

    init() throws {
        let database = database
        cache = ResponseCache(capacity: 100_000) { (probe, query, organization) throws(PostgreSQLError) in
            try database.run(probe, query, organization)
        }
        harness = try Harness(responseCache: cache, answer: outreachRow("created"))
    }

    private func ask(_ path: String = "risk-metrics", method: String = "GET") throws -> Response {
        harness.serve(try .api(path, method: method))
    }

    private func critical(_ response: Response) -> Int? {
        (response.object["risk_summary"] as? [String: Any])?["critical"] as? Int
    }

    @Test("A cached response is sent with the time of the probe, while the state is the same")
    func hit() throws {
        let first = try ask()
        database.set(now: "2025-06-30T12:00:09Z")
        let second = try ask()
        #expect(database.asked == ["p risk_metrics", "p"])
        #expect(first.object["last_updated"] as? String == "2025-06-30T12:00:00Z")
        #expect(second.object["last_updated"] as? String == "2025-06-30T12:00:09Z")
        #expect(second.text == first.text.replacing("12:00:00Z", with: "12:00:09Z"))
        #expect(second.headers.map(\.name) == first.headers.map(\.name))
        #expect((cache.statistics.hits, cache.statistics.misses, cache.statistics.responses) == (1, 1, 1))
    }

    @Test("In another state, a new response is computed and replaces the cached one")
    func changed() throws {
        #expect(critical(try ask()) == 1)
        database.change(state: "2", critical: 7)
        #expect(critical(try ask()) == 7)
        #expect(critical(try ask()) == 7)
        #expect(database.asked == ["p risk_metrics", "p", "p risk_metrics", "p"])
        #expect(cache.statistics.responses == 1)
    }

    @Test("While the organization's derived data is not current, responses are neither cached nor sent from the cache")
    func pending() throws {
        #expect(critical(try ask()) == 1)
        for number in 2...3 {
            database.change(state: nil, critical: number)
            #expect(critical(try ask()) == number)
        }
        #expect(database.asked == ["p risk_metrics", "p", "p risk_metrics", "p risk_metrics"])
        #expect((cache.statistics.responses, cache.statistics.bytes) == (0, 0))
    }

    @Test("Equal questions in any spelling share a response, and different ones do not")
    func questions() throws {
        #expect(try ask("patients/prioritized").status == 200)
        #expect(try ask("patients/prioritized?limit=50&risk_level=all&other=1").status == 200)
        #expect(try ask("patients/prioritized?limit=49").status == 200)
        #expect(database.asked == ["p prioritized_patients", "p", "p prioritized_patients"])
    }

    @Test("The list and the search by POST share a response, unless only one of them names the order")
    func searches() throws {
        #expect(try ask("patients/prioritized?q=abc").status == 200)
        #expect(harness.serve(try .search(#"{"q": " abc "}"#)).status == 200)
        #expect(database.asked == ["p prioritized_patients", "p"])
        let given = harness.serve(try .search(#"{"q": "abc", "sort": "priority"}"#))
        #expect(database.asked == ["p prioritized_patients"])
        let summary = given.object["summary"] as? [String: Any]
        #expect((summary?["filters_applied"] as? [String: Any])?["sort"] as? String == "priority")
    }

    @Test("Each organization has its own responses")
    func organizations() throws {
        _ = try ask()
        let key = ResponseKey(
            organization: "org_2", query: Query(Statement(name: "risk_metrics", sql: ""), ["org_1"]), cacheKey: "")
        #expect(
            key
                != ResponseKey(
                    organization: "org_1", query: Query(Statement(name: "risk_metrics", sql: ""), ["org_1"]),
                    cacheKey: ""))
        var other = try Ask.api("risk-metrics")
        other.target = "/api/v1/reengagement/org_2/risk-metrics"
        #expect(harness.serve(other).status == 403)
        #expect(database.asked == ["p risk_metrics"])
    }

    @Test("Errors and responses to a POST are not cached")
    func others() throws {
        for _ in 0..<2 { #expect(try ask("patients/p").status == 404) }
        #expect(database.asked == ["p patient_detail", "p patient_detail"])
        for _ in 0..<2 { #expect(harness.serve(try .post()).status == 201) }
        #expect(database.asked == [])
        #expect(harness.questions.map(\.statement) == ["log_outreach", "log_outreach"])
        #expect(cache.statistics.responses == 0)
    }

    @Test("Without the database, no cached response is sent")
    func away() throws {
        _ = try ask()
        database.change(state: "away", critical: 1)
        #expect(try ask().status == 503)
    }

    @Test("HEAD is served from the cache like GET")
    func head() throws {
        let get = try ask()
        #expect(try ask(method: "HEAD").body == get.body)
        #expect(database.asked == ["p risk_metrics", "p"])
    }
}
