import API
import Foundation
import JWT
import PostgreSQL
import Testing

@testable import Server

@Suite("The pipeline")
struct PipelineTests {
    @Test("A request is answered from the database, bound to the organization of the path")
    func answers() throws {
        let harness = try Harness(answer: riskMetricsRow)
        let response = harness.serve(try .api("risk-metrics"))
        #expect(response.status == 200)
        #expect(response.contentType == "application/json")
        #expect(response.object["organization_id"] as? String == "org_1")
        #expect(harness.questions == [.init(statement: "risk_metrics", organization: "org_1", repeatable: true)])
    }

    @Test("A statement that writes is never repeatable")
    func writes() throws {
        let harness = try Harness(answer: outreachRow("created"))
        let response = harness.serve(try .post())
        #expect(response.status == 201)
        #expect(response.object["success"] as? Bool == true)
        #expect(harness.questions == [.init(statement: "log_outreach", organization: "org_1", repeatable: false)])
    }

    @Test("A search by POST is repeatable, since it only reads")
    func searches() throws {
        let harness = try Harness(answer: emptyList)
        #expect(harness.serve(try .search()).status == 200)
        #expect(
            harness.questions == [.init(statement: "prioritized_patients", organization: "org_1", repeatable: true)])
        #expect(harness.observations.map(\.route) == ["/api/v1/reengagement/{org_id}/patients/search"])
    }

    @Test("OPTIONS lists the methods of both routes of a path")
    func preflightOfTwo() throws {
        let ask = Ask(method: "OPTIONS", target: "/api/v1/reengagement/org_1/patients/search", origin: nil)
        let response = try Harness().serve(ask)
        #expect(response.status == 204)
        #expect(response.header("Allow") == "GET, HEAD, POST, OPTIONS")
    }

    @Test("The hooks run in order, before any work for the user and after the response")
    func hooks() throws {
        let harness = try Harness(answer: outreachRow("created"))
        _ = harness.serve(try .post())
        #expect(harness.steps == ["admit: user_1 org_1", "body", "database", "sent", "after: 201"])
        #expect(harness.entries.isEmpty, "the database has recorded it with the attempt")
    }

    @Test("The observation contains the results of the request")
    func observations() throws {
        let harness = try Harness(answer: riskMetricsRow)
        let response = harness.serve(try .api("risk-metrics"))
        _ = harness.serve(try .api("risk-metrics", method: "HEAD"))
        _ = harness.serve(Ask(target: "/api/v1/reengagement/org_1/risk-metrics"))
        _ = harness.serve(Ask(method: "BREW", target: "/nothing"))
        let records = harness.observations
        #expect(records.map(\.status) == [200, 200, 401, 404])
        #expect(records.map(\.method) == ["GET", "HEAD", "GET", "BREW"])
        #expect(records.map(\.bytes).prefix(2) == [response.body.count, 0])
        #expect(
            records.map(\.route?.description) == [String?](
                repeating: "/api/v1/reengagement/{org_id}/risk-metrics", count: 3) + [nil])
        #expect(records.map { $0.principal?.subject } == ["user_1", "user_1", nil, nil])
        #expect(records.map(\.requestID) == [String](repeating: "request-1", count: 4))
        #expect(records.map(\.statement) == ["risk_metrics", "risk_metrics", nil, nil])
        #expect(records.allSatisfy { $0.databaseError == nil && $0.duration >= .zero })
    }

    @Test("HEAD is processed as GET, and the worker omits the body")
    func head() throws {
        let harness = try Harness(answer: riskMetricsRow)
        let (get, head) = (
            harness.serve(try .api("risk-metrics")), harness.serve(try .api("risk-metrics", method: "HEAD"))
        )
        #expect(head.status == 200)
        #expect(head.body == get.body)
        #expect(head.headers.map(\.name) == get.headers.map(\.name))
    }

    @Test("Every response has its request's id, is not cacheable, and names the origin that may read it")
    func commonHeaders() throws {
        let harness = try Harness(answer: riskMetricsRow)
        let limited = try Harness(refusal: Problem.tooManyRequests(retryAfter: 2))
        let broken = try Harness(refusal: PostgreSQLError.acquireTimeout)
        var wrongType = try Ask.post()
        wrongType.contentType = nil
        var large = try Ask.post()
        large.body = [UInt8](repeating: 0x20, count: 70_000)
        var noJSON = try Ask.post()
        noJSON.body = []
        var anonymous = try Ask.api("trends")
        anonymous.authorization = nil
        let answers = [
            harness.serve(try .api("risk-metrics")), harness.serve(try .api("trends", method: "OPTIONS")),
            harness.serve(noJSON), harness.serve(anonymous), harness.serve(try .api("trends", organization: "org_2")),
            harness.serve(Ask(target: "/")), harness.serve(Ask(method: "POST", target: "/health")),
            harness.serve(large),
            harness.serve(wrongType), harness.serve(try .api("trends?period=x")), limited.serve(try .api("trends")),
            harness.serve(try .api("trends")), broken.serve(try .api("trends")), harness.serve(Ask(target: "/health")),
            harness.serve(Ask(target: "/ready")), harness.serve(Ask(target: "/metrics")),
            harness.serve(Ask(target: "/openapi.json")),
        ]
        #expect(
            answers.map(\.status)
                == [200, 204, 400, 401, 403, 404, 405, 413, 415, 422, 429, 500, 503, 200, 200, 200, 200])
        for answer in answers {
            #expect(answer.header("X-Request-Id") == "request-1")
            #expect(answer.header("Cache-Control") == "no-store")
            #expect(answer.header("Server-Timing")?.hasPrefix("auth;dur=") == true)
            #expect(answer.header("Vary") == "Origin")
            #expect(answer.header("Access-Control-Allow-Origin") == Ask.origin)
            guard answer.status >= 400 else { continue }
            #expect(answer.contentType == "application/problem+json")
            #expect(answer.object["request_id"] as? String == "request-1")
            #expect(answer.object["status"] as? Int == answer.status)
        }
    }

    @Test("No page of another origin may read a response")
    func otherOrigin() throws {
        let harness = try Harness(answer: riskMetricsRow)
        for origin in [nil, "https://evil.test", "null"] {
            var ask = try Ask.api("risk-metrics")
            ask.origin = origin
            let response = harness.serve(ask)
            #expect(response.status == 200)
            #expect(response.header("Vary") == "Origin")
            #expect(response.header("Access-Control-Allow-Origin") == nil)
        }
    }

    @Test("A preflight of any path needs no token, no hook and no database")
    func preflight() throws {
        let harness = try Harness()
        for path in [
            "/api/v1/reengagement/org_1/dashboard", "/api/v1/reengagement/org_1/log-outreach", "/nothing", "*", "/a//b",
            "/%ff",
        ] {
            let response = harness.serve(Ask(method: "OPTIONS", target: path))
            #expect(response.status == 204)
            #expect(response.contentType == nil)
            #expect(response.body == [])
            #expect(response.header("Access-Control-Allow-Methods") == "GET, HEAD, POST, PUT, OPTIONS")
            #expect(response.header("Access-Control-Allow-Headers")?.contains("Authorization") == true)
            #expect(response.header("Access-Control-Allow-Origin") == Ask.origin)
        }
        #expect(harness.questions == [])
        #expect(!harness.steps.contains { $0.hasPrefix("first") })
    }

    @Test("OPTIONS from any other origin gets only the methods of known paths", arguments: [nil, "https://evil.test"])
    func options(origin: String?) throws {
        let harness = try Harness()
        for (path, methods) in [("dashboard", "GET, HEAD, OPTIONS"), ("log-outreach", "POST, OPTIONS")] {
            let ask = Ask(method: "OPTIONS", target: "/api/v1/reengagement/org_1/\(path)", origin: origin)
            let response = harness.serve(ask)
            #expect(response.status == 204)
            #expect(response.header("Allow") == methods)
            #expect(!response.headers.contains { $0.name.hasPrefix("Access-Control") })
        }
        #expect(harness.serve(Ask(method: "OPTIONS", target: "/nothing", origin: origin)).status == 404)
        #expect(harness.questions == [])
    }

    @Test("/health needs no token and no database")
    func health() throws {
        let harness = try Harness { _ throws(PostgreSQLError) in throw .acquireTimeout }
        let response = harness.serve(Ask(target: "/health"))
        #expect(response.status == 200)
        // The test's address is not an address of this machine.
        #expect(Set(response.object.keys) == ["status", "timestamp"])
        #expect(harness.questions == [])
    }

    @Test(
        "/health reveals the version only to its own machine, and not through a proxy",
        arguments: [
            ("127.0.0.1", nil, false, true), ("127.9.9.9", nil, false, true), ("::1", nil, false, true),
            ("::ffff:127.0.0.1", nil, false, true), ("127.0.0.1", "localhost", false, true),
            ("127.0.0.1", "127.0.0.1:8443", false, true), ("::1", "[::1]:8443", false, true),
            ("127.0.0.1", "localhost:8000", false, true), ("127.0.0.1", nil, true, false),
            ("127.0.0.1", "localhost", true, false), ("127.0.0.1", "api.example.com", false, false),
            ("127.0.0.1", "127.evil.example", false, false), ("127.0.0.1", "localhost.evil.example", false, false),
            ("127.0.0.1", "", false, false), ("192.0.2.1", nil, false, false), ("192.0.2.1", "localhost", false, false),
            ("::2", nil, false, false), ("12.7.0.0", nil, false, false), ("127.example", nil, false, false),
            ("", nil, false, false), (nil, nil, false, false),
        ] as [(String?, String?, Bool, Bool)])
    func version(address: String?, host: String?, isForwarded: Bool, isRevealed: Bool) throws {
        let incoming = Incoming(
            request: Request(method: "GET", target: Array("/health".utf8)), requestID: "r", authorization: nil,
            origin: nil,
            address: address, isForwarded: isForwarded, host: host, body: { _ in .complete([]) })
        let object = ServiceResponses.health(toThisMachine: incoming.isFromThisMachine).object
        #expect(object["version"] as? String == (isRevealed ? serverVersion : nil))
        #expect(object["status"] as? String == "ok")
        let text = try #require(object["timestamp"] as? String)
        let time = try #require(ISO8601DateFormatter().date(from: text))
        #expect(abs(time.timeIntervalSince1970 - wallClock()) < 60)
        #expect(text.count == 20)
    }

    @Test("/ready succeeds only while the database answers the endpoints' queries")
    func ready() throws {
        let harness = try Harness(answer: riskMetricsRow)
        #expect(harness.serve(Ask(target: "/ready")).status == 200)
        #expect(harness.steps == ["readiness", "sent", "after: 200"])
        for error in [PostgreSQLError.connectionLost("gone"), .refused(SQLState("42883"), "no such function")] {
            let away = try Harness { _ throws(PostgreSQLError) in throw error }
            let answer = away.serve(Ask(target: "/ready"))
            #expect(answer.status == 503)
            #expect(answer.header("Retry-After") != nil)
            #expect(away.log.text().contains(error.description))
        }
    }

    @Test("/metrics has the type that Prometheus reads, and /openapi.json is JSON")
    func documents() throws {
        let harness = try Harness()
        let metrics = harness.serve(Ask(target: "/metrics"))
        #expect(metrics.contentType == "text/plain; version=0.0.4; charset=utf-8")
        #expect(metrics.text == "metrics 1\n")
        #expect(harness.serve(Ask(target: "/openapi.json")).object["openapi"] is String)
        #expect(harness.questions == [])
    }
}
