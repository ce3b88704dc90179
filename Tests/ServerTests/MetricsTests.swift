import Glibc
import PostgreSQL
import Testing
import Threads

@testable import Server

@Suite("The metrics")
struct MetricsTests {
    private let metrics = Metrics()

    private func record(
        _ route: String?, _ duration: Duration, method: String = "GET", status: Int = 200, databaseError: String? = nil
    ) {
        metrics.record(
            .example(method: method, route: route, status: status, duration: duration, databaseError: databaseError))
    }

    private func lines() throws -> [String] {
        let parameters = try ConnectionParameters(
            connectionString: "host=/nonexistent", role: "none", statementTimeout: .seconds(1))
        let pool = ConnectionPool(parameters: parameters, capacity: 9, acquireTimeout: .seconds(1))
        let process = try #require(ProcessFigures.current())
        let text = metrics.render(
            [
                { $0.add(WaitingRequests.Statistics(permits: 4, granted: 3, waiting: 2)) },
                { $0.add(connections: 11) }, { $0.add(pool.statistics) },
                { $0.add(tokens: (hits: 7, misses: 5, evictions: 3, tokens: 2, bytes: 900)) }, { $0.add(process) },
                { $0.add(lostLogLines: 31) },
                { $0.add(ResponseCache.Statistics(hits: 13, misses: 17, evictions: 19, responses: 23, bytes: 29)) },
                { $0.add(isAudited: true) }, { $0.add(AuditVolume.Statistics(ofEntries: 9, ofAttempts: 4, beyond: 1)) },
                { $0.add(loginFaults: 1) }, { $0.add(protectionsOff: [ProtectionOff(.audit, "AUDIT is off")]) },
                {
                    $0.add(
                        audit: AuditTrail.Statistics(
                            waiting: 6, written: 8, refused: 2, failures: 1, isolated: 4, lost: 0))
                },
                { $0.add(auditUnsealed: .seconds(9)) },
            ])
        #expect(text.hasSuffix("\n"))
        return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    }

    @Test("The metrics have the text format of Prometheus, with each sample below the type of its family")
    func format() throws {
        record("/health", .milliseconds(3))
        record(nil, .seconds(60), method: "BREW", status: 404, databaseError: "acquire_timeout")
        let sample = try Regex(#"([a-z_]+)(\{[a-z_]+="[^"\\]*"(,[a-z_]+="[^"\\]*")*\})? [0-9.e+-]+"#)
        var family = ""
        var types: [String: String] = [:]
        for line in try lines() {
            if let match = line.wholeMatch(of: #/# HELP ([a-z_]+) .+\./#) {
                family = String(match.1)
                #expect(types[family] == nil, "\(family) occurs twice")
            } else if let match = line.wholeMatch(of: #/# TYPE ([a-z_]+) (counter|gauge|histogram)/#) {
                #expect(match.1 == family)
                types[family] = String(match.2)
            } else {
                #expect(line.wholeMatch(of: sample) != nil, "\(line)")
                let name = String(line.prefix { $0 != "{" && $0 != " " })
                let suffixes = types[family] == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
                #expect(suffixes.contains { family + $0 == name }, "\(line)")
                if types[family] == "counter" { #expect(name.hasSuffix("_total")) }
            }
        }
        #expect(types.count == 45)
    }

    @Test("Each request is counted by route, method and status, and unknown methods are counted together")
    func requests() throws {
        for _ in 0..<3 { record("/health", .zero) }
        record("/health", .zero, status: 503)
        for method in ["BREW", "\"\n", "get", ""] { record(nil, .zero, method: method, status: 404) }
        let counts = try lines().filter { $0.hasPrefix("reengagement_http_requests_total{") }
        #expect(
            counts == [
                #"reengagement_http_requests_total{route="/health",method="GET",status="200"} 3"#,
                #"reengagement_http_requests_total{route="/health",method="GET",status="503"} 1"#,
                #"reengagement_http_requests_total{route="none",method="other",status="404"} 4"#,
            ])
    }

    @Test("A duration is counted in every bucket with an equal or greater bound")
    func buckets() throws {
        let durations: [Duration] = [
            .zero, .microseconds(500), .microseconds(501), .milliseconds(5), .milliseconds(250), .seconds(10),
            .seconds(11),
        ]
        for duration in durations { record("/ready", duration) }
        record("/health", .seconds(1))
        let prefix = #"reengagement_http_request_duration_seconds_bucket{route="/ready",le=""#
        let buckets = try lines().filter { $0.hasPrefix(prefix) }.map { $0.dropFirst(prefix.count) }
        #expect(
            buckets == [
                "0.0005\"} 2", "0.001\"} 3", "0.0025\"} 3", "0.005\"} 4", "0.01\"} 4", "0.025\"} 4", "0.05\"} 4",
                "0.1\"} 4",
                "0.25\"} 5", "0.5\"} 5", "1.0\"} 5", "2.5\"} 5", "5.0\"} 5", "10.0\"} 6", "+Inf\"} 7",
            ])
        let name = "reengagement_http_request_duration_seconds"
        #expect(try lines().contains(#"\#(name)_count{route="/ready"} 7"#))
        #expect(try lines().contains(#"\#(name)_sum{route="/health"} 1.0"#))
        let sum = try #require(
            try lines().first { $0.hasPrefix(#"\#(name)_sum{route="/ready"} "#) }?.split(separator: " ").last)
        #expect(abs((Double(sum) ?? 0) - 21.256001) < 1e-9)
    }

    @Test("The metrics contain the state of workers, connections, pool and tokens, and database errors by class")
    func state() throws {
        record("/ready", .zero, status: 503, databaseError: "connection_lost")
        record("/ready", .zero, status: 503, databaseError: "connection_lost")
        record("/ready", .zero, status: 500, databaseError: "refused")
        metrics.requestBegan()
        let busy = try lines()
        metrics.requestEnded()
        let idle = try lines()
        for line in [
            "reengagement_build_info{version=\"\(serverVersion)\"} 1", "reengagement_workers 4",
            "reengagement_workers_busy 3",
            "reengagement_requests_waiting 2",
            "reengagement_http_requests_in_flight 0",
            "reengagement_fastcgi_connections 11", "reengagement_db_pool_size 9", "reengagement_db_pool_in_use 0",
            "reengagement_db_pool_idle 0", "reengagement_db_pool_waiting 0", "reengagement_db_pool_timeouts_total 0",
            #"reengagement_db_errors_total{class="connection_lost"} 2"#,
            #"reengagement_db_errors_total{class="refused"} 1"#,
            #"reengagement_db_errors_total{class="statement_timeout"} 0"#,
            "reengagement_token_cache_hits_total 7", "reengagement_token_cache_misses_total 5",
            "reengagement_token_cache_evictions_total 3",
        ] {
            #expect(idle.contains(line), "\(line)")
        }
        #expect(busy.contains("reengagement_http_requests_in_flight 1"))
    }

    @Test("Counts of concurrent threads are complete and added up")
    func threads() throws {
        let threads = try (0..<8).map { index in
            try Thread.start { [metrics] in
                for _ in 0..<5000 {
                    metrics.record(.example(route: index < 4 ? "/a" : "/b", status: index % 2 == 0 ? 200 : 500))
                }
            }
        }
        for thread in threads { thread.join() }
        let lines = try lines()
        for series in [#"route="/a",method="GET",status="200""#, #"route="/b",method="GET",status="500""#] {
            #expect(lines.contains("reengagement_http_requests_total{\(series)} 10000"))
        }
        #expect(lines.contains(#"reengagement_http_request_duration_seconds_count{route="/a"} 20000"#))
    }

    @Test("The metrics of the process are those of the kernel")
    func process() throws {
        let before = try #require(ProcessFigures.current())
        let opened = (0..<7).map { _ in open("/dev/null", O_RDONLY) }
        defer { for descriptor in opened { close(descriptor) } }
        let burnt = (0..<2_000_000).reduce(into: 1) { $0 = $0 &* 31 &+ $1 }
        let after = try #require(ProcessFigures.current())
        // Other tests open and close descriptors meanwhile.
        #expect(burnt != 0 && after.openDescriptors > 7 && after.descriptorLimit >= 64)
        #expect(after.cpuSeconds > before.cpuSeconds)
        #expect(after.residentBytes > 1 << 20 && after.virtualBytes > after.residentBytes)
        let (now, started) = (wallClock(), after.startTime)
        #expect(before.startTime == started && started < now && started > now - 7200)
    }
}
