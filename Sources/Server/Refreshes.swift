import Logging
import PostgreSQL
import Synchronization
import Threads

/// The organizations whose derived data could not be refreshed.
///
/// Their responses are computed by the plain queries (`sql/flat/60_refresh_on_read.sql`). Requests and the background
/// thread do not try again during the organization's pause, so that no response waits for a refresh that would fail.
final class Refreshes: Sendable {
    /// The number of organizations now, and of failures since the start.
    struct Statistics {
        var organizations = 0
        var failures: [DatabaseCause: Int] = [:]
    }

    /// Binds a transaction to an organization and disables the refresh. It can replace a probe, because its first
    /// columns are those of a probe that finds no state.
    private static let bindPlainly = Statement.binding(
        "bind_plainly", columns: ResponseCache.Column.names.map { "NULL AS \($0)" },
        settings: ["reengagement.refresh_on_read": "off"])

    private let failed = Monitor(FailedOrganizations())
    // Outside the lock, because every request reads it.
    private let count = Atomic<Int>(0)
    private let logger: Logger

    init(logger: Logger) { self.logger = logger }

    var statistics: Statistics {
        failed.withLock { Statistics(organizations: $0.count, failures: $0.attempts) }
    }

    /// The error of a refresh if it concerns all organizations: the database's disk is full.
    var trouble: PostgreSQLError? {
        guard count.load(ordering: .relaxed) > 0 else { return nil }
        return failed.withLock { $0.errors.first { $0.cause == .diskFull } }
    }

    /// The statement that binds a transaction to an organization in its pause. Nil if the organization is in none.
    func plainBinding(_ organization: String) -> Statement? {
        guard count.load(ordering: .relaxed) > 0 else { return nil }
        return failed.withLock { $0.isWaiting(organization, now: .now) } ? Self.bindPlainly : nil
    }

    /// True if the organization is in its pause.
    func isWaiting(_ organization: String) -> Bool {
        count.load(ordering: .relaxed) > 0 && failed.withLock { $0.isWaiting(organization, now: .now) }
    }

    /// The organizations that are in their pause.
    func waiting() -> [String] { failed.withLock { $0.waiting(now: .now) } }

    func failed(_ organization: String, _ error: PostgreSQLError) {
        guard let pause = change({ $0.failed(organization, error, now: .now) }) else { return }
        logger.warning(
            "an organization's derived data could not be brought up to date",
            metadata: [
                "organization": "\(organization)", "class": "\(error.kind)", "reason": "\(error)",
                "retry_after_s": "\(pause.components.seconds)",
            ])
    }

    func succeeded(_ organization: String) {
        guard count.load(ordering: .relaxed) > 0 else { return }
        change { $0.succeeded(organization) }
    }

    /// Forgets organizations without a pending change.
    ///
    /// - Parameter due: the organizations with a pending change.
    func keep(due: [String]) {
        guard count.load(ordering: .relaxed) > 0 else { return }
        change { $0.keep(due: due, now: .now) }
    }

    private func change<Result: Sendable>(_ body: (inout FailedOrganizations) -> Result) -> Result {
        failed.withLock { failed in
            defer { count.store(failed.count, ordering: .relaxed) }
            return body(&failed)
        }
    }
}
