import PostgreSQL
import Threads

/// The organizations whose last refresh failed, and the time of the next attempt. It has no clock and no lock.
struct FailedOrganizations {
    typealias Instant = ContinuousClock.Instant

    private struct Failure {
        var backOff = BackOff(first: .seconds(1), longest: .seconds(60))
        var error: PostgreSQLError
    }

    private var failures: [String: Failure] = [:]
    /// The number of failed attempts since the start, by cause.
    private(set) var attempts: [DatabaseCause: Int] = [:]

    var count: Int { failures.count }

    /// The last error of each organization.
    var errors: some Sequence<PostgreSQLError> { failures.values.lazy.map(\.error) }

    /// The organizations that are still in their pause.
    func waiting(now: Instant) -> [String] { failures.filter { $0.value.backOff.isWaiting(now) }.keys.sorted() }

    func isWaiting(_ organization: String, now: Instant) -> Bool {
        failures[organization]?.backOff.isWaiting(now) ?? false
    }

    /// Records a failure and returns the pause. Nil if the organization is in one, because attempts ran concurrently.
    mutating func failed(_ organization: String, _ error: PostgreSQLError, now: Instant) -> Duration? {
        attempts[error.cause, default: 0] += 1
        guard !isWaiting(organization, now: now) else { return nil }
        var failure = failures[organization] ?? Failure(error: error)
        failure.error = error
        defer { failures[organization] = failure }
        return failure.backOff.failed(now: now)
    }

    mutating func succeeded(_ organization: String) { failures[organization] = nil }

    /// Forgets organizations that are past their pause and have no pending change. Another server has refreshed them,
    /// or they were removed.
    mutating func keep(due: [String], now: Instant) {
        failures = failures.filter { $0.value.backOff.isWaiting(now) || due.contains($0.key) }
    }
}
