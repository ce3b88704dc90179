import PostgreSQL
import Threads

/// When organizations may be tried again whose last attempt failed, without a clock or a lock of its own.
struct FailedOrganizations {
    typealias Instant = ContinuousClock.Instant

    private struct Failure {
        var count = 0
        var next: Instant
        var error: PostgreSQLError
    }

    private static let pause = GrowingPause(first: .seconds(1), longest: .seconds(60))

    private var failures: [String: Failure] = [:]
    /// Attempts that have failed, by cause.
    private(set) var attempts: [DatabaseCause: Int] = [:]

    var count: Int { failures.count }

    /// Why each of them failed the last time.
    var errors: some Sequence<PostgreSQLError> { failures.values.lazy.map(\.error) }

    /// Those that are not to be tried yet.
    func waiting(now: Instant) -> [String] { failures.filter { now < $0.value.next }.keys.sorted() }

    func isWaiting(_ organization: String, now: Instant) -> Bool {
        failures[organization].map { now < $0.next } ?? false
    }

    /// Returns how long it is left alone; nil where it is already, since several had begun at once.
    mutating func failed(_ organization: String, _ error: PostgreSQLError, now: Instant) -> Duration? {
        attempts[error.cause, default: 0] += 1
        guard !isWaiting(organization, now: now) else { return nil }
        var failure = failures[organization] ?? Failure(next: now, error: error)
        failure.count += 1
        failure.error = error
        let pause = Self.pause.after(failures: failure.count)
        failure.next = now + pause
        failures[organization] = failure
        return pause
    }

    mutating func succeeded(_ organization: String) { failures[organization] = nil }

    /// Forgets those that had their pause and have nothing to do: somebody else has done it, or they are gone.
    mutating func keep(due: [String], now: Instant) {
        failures = failures.filter { now < $0.value.next || due.contains($0.key) }
    }
}
