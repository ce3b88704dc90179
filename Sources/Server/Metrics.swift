import PostgreSQL
import Synchronization
import Threads

/// Counts responses by route, method and status, and writes them in Prometheus' text format.
///
/// All threads share one lock. A request holds it for less than a microsecond.
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

        mutating func add(_ other: Histogram) {
            for index in counts.indices { counts[index] += other.counts[index] }
            count += other.count
            sum += other.sum
        }
    }

    private struct Counts {
        var requests: [Series: Histogram] = [:]
        var databaseErrors: [String: Int] = [:]
    }

    /// Writes the metrics of another part of the server. It is called for each request of `/metrics`.
    typealias Reading = @Sendable (inout PrometheusText) -> Void

    /// The histogram's upper bounds, in seconds.
    private static let bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
    /// The methods with their own label. All others count as `other`, so that a client cannot add series.
    private static let methods: Set<String> = ["GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"]

    private let counts = Monitor(Counts())
    private let inFlight = Atomic<Int>(0)

    /// Counts a request that has been read.
    func requestBegan() { inFlight.add(1, ordering: .relaxed) }

    /// Counts that its response has been sent.
    func requestEnded() { inFlight.subtract(1, ordering: .relaxed) }

    func record(_ observation: Observation) {
        let method = Self.methods.contains(observation.method) ? observation.method : "other"
        let series = Series(route: observation.route ?? "none", method: method, status: observation.status)
        let seconds = observation.duration / .seconds(1)
        let bucket = Self.bounds.firstIndex { seconds <= $0 }
        counts.withLock { counts in
            counts.requests[series, default: Histogram()].add(seconds, bucket)
            if let error = observation.databaseError { counts.databaseErrors[error, default: 0] += 1 }
        }
    }

    /// Returns all metrics as text. Those of `readings` are last.
    func render(_ readings: [Reading]) -> String {
        let counts = counts.withLock { $0 }
        var text = PrometheusText()
        text.family("reengagement_build_info", .gauge, "The running version.", [([("version", serverVersion)], 1)])
        Self.write(counts.requests, to: &text)
        text.gauge(
            "reengagement_http_requests_in_flight", "Requests being answered, this one included.",
            inFlight.load(ordering: .relaxed))
        text.family(
            "reengagement_db_errors_total", .counter, "Requests that failed in the database, by class.",
            // All classes are present from the start, because a rate needs the 0 before the first error.
            DatabaseCause.allCases.map { ([("class", $0.rawValue)], counts.databaseErrors[$0.rawValue] ?? 0) })
        for reading in readings { reading(&text) }
        return text.text
    }

    private static func write(_ requests: [Series: Histogram], to text: inout PrometheusText) {
        let sorted = requests.sorted { order($0.key) < order($1.key) }
        text.family(
            "reengagement_http_requests_total", .counter, "Requests answered.",
            sorted.map { ([("route", $0.route), ("method", $0.method), ("status", "\($0.status)")], $1.count) })
        var routes: [(route: String, histogram: Histogram)] = []
        for (series, histogram) in sorted {
            if routes.last?.route != series.route { routes.append((series.route, Histogram())) }
            routes[routes.count - 1].histogram.add(histogram)
        }
        let name = "reengagement_http_request_duration_seconds"
        text.head(name, .histogram, "From the first byte of a request to the last of its answer.")
        for (route, histogram) in routes { write(name, histogram, [("route", route)], to: &text) }
    }

    private static func write(
        _ name: String, _ histogram: Histogram, _ labels: [(String, String)], to text: inout PrometheusText
    ) {
        var cumulative = 0
        for (bound, count) in zip(bounds, histogram.counts) {
            cumulative += count
            text.sample(name + "_bucket", labels + [("le", "\(bound)")], cumulative)
        }
        text.sample(name + "_bucket", labels + [("le", "+Inf")], histogram.count)
        text.sample(name + "_sum", labels, histogram.sum)
        text.sample(name + "_count", labels, histogram.count)
    }

    private static func order(_ series: Series) -> (String, String, Int) {
        (series.route, series.method, series.status)
    }
}
