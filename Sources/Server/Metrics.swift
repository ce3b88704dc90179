import JWT
import PostgreSQL
import Synchronization
import Threads

/// Counts what has been answered: a hook after the answer, told as Prometheus' text.
final class Metrics: Sendable {
    private struct Series: Hashable {
        let route: String
        let method: String
        let status: Int
    }

    private struct Histogram {
        var counts = [Int](repeating: 0, count: Metrics.bounds.count)
        var count = 0
        var sum = 0.0

        mutating func add(_ seconds: Double, _ bucket: Int?) {
            if let bucket { counts[bucket] += 1 }
            count += 1
            sum += seconds
        }
    }

    private struct State {
        var requests: [Series: Int] = [:]
        var durations: [String: Histogram] = [:]
        var databaseErrors: [String: Int] = [:]
    }

    /// The histogram's upper bounds, in seconds.
    private static let bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
    /// Methods that may be a label: whatever else a client sends must not grow the series.
    private static let methods: Set<String> = ["GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"]

    private let state = Monitor(State())
    private let busyWorkers = Atomic<Int>(0)

    /// Runs `body` as a worker's work on one request.
    func whileBusy(_ body: () -> Void) {
        busyWorkers.add(1, ordering: .relaxed)
        defer { busyWorkers.subtract(1, ordering: .relaxed) }
        body()
    }

    func record(_ observation: Observation) {
        let route = observation.route ?? "none"
        let method = Self.methods.contains(observation.method) ? observation.method : "other"
        let seconds = observation.duration / .seconds(1)
        let bucket = Self.bounds.firstIndex { seconds <= $0 }
        state.withLock { state in
            state.requests[Series(route: route, method: method, status: observation.status), default: 0] += 1
            state.durations[route, default: Histogram()].add(seconds, bucket)
            if let error = observation.databaseError { state.databaseErrors[error, default: 0] += 1 }
        }
    }

    /// Everything, in Prometheus' text format 0.0.4.
    func render(
        pool: ConnectionPool.Statistics, tokens: (hits: Int, misses: Int, evictions: Int), connections: Int,
        workers: Int
    ) -> String {
        let state = state.withLock { $0 }
        var text = PrometheusText()
        text.family("reengagement_build_info", "gauge", "The running version.")
        text.sample("reengagement_build_info", [("version", serverVersion)], 1)
        text.family("reengagement_http_requests_total", "counter", "Requests answered.")
        for (series, count) in state.requests.sorted(by: { Self.order($0.key) < Self.order($1.key) }) {
            let labels = [("route", series.route), ("method", series.method), ("status", String(series.status))]
            text.sample("reengagement_http_requests_total", labels, count)
        }
        write(state.durations, to: &text)
        text.gauge("reengagement_workers", "Worker threads.", workers)
        text.gauge("reengagement_workers_busy", "Worker threads at work on a request.", busyWorkers.load(ordering: .relaxed))
        text.gauge("reengagement_fastcgi_connections", "Open connections from nginx.", connections)
        text.gauge("reengagement_db_pool_size", "Database connections at most.", pool.capacity)
        text.gauge("reengagement_db_pool_in_use", "Database connections in use.", pool.leased)
        text.gauge("reengagement_db_pool_idle", "Database connections open and idle.", pool.idle)
        text.gauge("reengagement_db_pool_waiting", "Requests waiting for a database connection.", pool.waiting)
        text.counter("reengagement_db_pool_timeouts_total", "Requests that got no connection in time.", pool.timeouts)
        text.family("reengagement_db_errors_total", "counter", "Requests that failed in the database, by class.")
        for (kind, count) in state.databaseErrors.sorted(by: { $0.key < $1.key }) {
            text.sample("reengagement_db_errors_total", [("class", kind)], count)
        }
        text.counter("reengagement_token_cache_hits_total", "Tokens found verified.", tokens.hits)
        text.counter("reengagement_token_cache_misses_total", "Tokens verified anew.", tokens.misses)
        text.counter("reengagement_token_cache_evictions_total", "Verified tokens given up for others.", tokens.evictions)
        return text.text
    }

    private static func order(_ series: Series) -> (String, String, Int) { (series.route, series.method, series.status) }

    private func write(_ durations: [String: Histogram], to text: inout PrometheusText) {
        let name = "reengagement_http_request_duration_seconds"
        text.family(name, "histogram", "From the first byte of a request to the last of its answer.")
        for (route, histogram) in durations.sorted(by: { $0.key < $1.key }) {
            var cumulative = 0
            for (bound, count) in zip(Self.bounds, histogram.counts) {
                cumulative += count
                text.sample(name + "_bucket", [("route", route), ("le", "\(bound)")], cumulative)
            }
            text.sample(name + "_bucket", [("route", route), ("le", "+Inf")], histogram.count)
            text.sample(name + "_sum", [("route", route)], histogram.sum)
            text.sample(name + "_count", [("route", route)], histogram.count)
        }
    }
}

/// Lines of Prometheus' text format.
private struct PrometheusText {
    private(set) var text = ""

    mutating func family(_ name: String, _ type: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    mutating func sample(_ name: String, _ labels: [(String, String)], _ value: some CustomStringConvertible) {
        let list = labels.map { "\($0.0)=\"\($0.1)\"" }.joined(separator: ",")
        text += list.isEmpty ? "\(name) \(value)\n" : "\(name){\(list)} \(value)\n"
    }

    mutating func gauge(_ name: String, _ help: String, _ value: Int) {
        family(name, "gauge", help)
        sample(name, [], value)
    }

    mutating func counter(_ name: String, _ help: String, _ value: Int) {
        family(name, "counter", help)
        sample(name, [], value)
    }
}
