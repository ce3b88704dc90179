import Logging
import PostgreSQL
import Synchronization
import Threads

/// What the server knows of the organizations whose derived data could not be brought up to date.
///
/// Their answers are the plain ones (`sql/flat/60_refresh_on_read.sql`). Whoever has failed, a request or the background work,
/// both leave such an organization alone until its pause is over, so that no answer waits for what fails anyway.
final class Refreshes: Sendable {
    /// What there is at one moment, and has failed since the start.
    struct Statistics {
        var organizations = 0
        var failures: [DatabaseCause: Int] = [:]
    }

    /// Binds a transaction to an organization that is not to be caught up with; in the place of a probe it finds no state.
    private static let bindPlainly = Statement(
        name: "bind_plainly",
        sql: """
            SELECT NULL AS state, NULL AS now, set_config('reengagement.organization', $1, true),
                set_config('reengagement.catch_up', 'off', true), \(Statement.afresh)
            """)

    private let failed = Monitor(FailedOrganizations())
    // Beside the lock, since every request looks.
    private let count = Atomic<Int>(0)
    private let logger: Logger

    init(logger: Logger) { self.logger = logger }

    var statistics: Statistics {
        failed.withLock { Statistics(organizations: $0.count, failures: $0.attempts) }
    }

    /// Why the database cannot take what is derived, where that is no matter of one organization.
    var trouble: PostgreSQLError? {
        guard count.load(ordering: .relaxed) > 0 else { return nil }
        return failed.withLock { $0.errors.first { $0.cause == .diskFull } }
    }

    /// The statement that binds a transaction to an organization which is not to be caught up with now; nil where it is.
    func plainBinding(_ organization: String) -> Statement? {
        guard count.load(ordering: .relaxed) > 0 else { return nil }
        return failed.withLock { $0.isWaiting(organization, now: .now) } ? Self.bindPlainly : nil
    }

    /// Those that are to be left alone.
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

    /// Forgets those that have nothing to do any more.
    ///
    /// - Parameter due: all that have.
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
