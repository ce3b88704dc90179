import PostgreSQL
import Threads

/// When to refresh organizations again whose last refresh failed; it has no clock and no lock.
struct FailedOrganizations {
    typealias Instant = ContinuousClock.Instant

    private struct Failure {
        var backOff = BackOff(first: .seconds(1), longest: .seconds(60))
        var error: PostgreSQLError
    }

    private var failures: [String: Failure] = [:]
    /// Failed attempts since the start, by cause.
    private(set) var attempts: [DatabaseCause: Int] = [:]

    var count: Int { failures.count }

    /// Why each of them failed the last time.
    var errors: some Sequence<PostgreSQLError> { failures.values.lazy.map(\.error) }

    /// The organizations whose pause is not over.
    func waiting(now: Instant) -> [String] { failures.filter { $0.value.backOff.isWaiting(now) }.keys.sorted() }

    func isWaiting(_ organization: String, now: Instant) -> Bool {
        failures[organization]?.backOff.isWaiting(now) ?? false
    }

    /// Returns the pause; nil if one is under way, since several attempts had begun at once.
    mutating func failed(_ organization: String, _ error: PostgreSQLError, now: Instant) -> Duration? {
        attempts[error.cause, default: 0] += 1
        guard !isWaiting(organization, now: now) else { return nil }
        var failure = failures[organization] ?? Failure(error: error)
        failure.error = error
        defer { failures[organization] = failure }
        return failure.backOff.failed(now: now)
    }

    mutating func succeeded(_ organization: String) { failures[organization] = nil }

    /// Forgets organizations whose pause is over and that have no pending change: another server refreshed them, or
    /// they were removed.
    mutating func keep(due: [String], now: Instant) {
        failures = failures.filter { $0.value.backOff.isWaiting(now) || due.contains($0.key) }
    }
}
