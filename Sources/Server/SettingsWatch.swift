import Logging
import PostgreSQL
import Threads

/// Watches the settings that the login and the database give to new sessions, on its own thread.
///
/// A session keeps the settings of its start. When they change, the pool's connections are replaced, so that the change
/// takes effect within a minute. A clock that an operator has left frozen is logged.
final class SettingsWatch: Sendable {
    /// Runs a query that is bound to no organization.
    typealias Database = @Sendable (_ query: Query) throws(PostgreSQLError) -> QueryResult

    private struct State {
        var settings: String?
        var clock: String?
    }

    private static let pause = Duration.seconds(20)
    /// The pause after a failed query. It is short, because the database may soon be available again.
    private static let pauseAfterFailure = Duration.seconds(2)

    private enum Column: Int, SelectedColumn {
        case settings, clock
    }

    /// The settings of PostgreSQL's login. The role that the server switches to does not matter for them.
    private static let statement = Statement(
        name: "settings",
        sql: """
            SELECT \(Column.selected)
            FROM (
                SELECT coalesce((
                    SELECT hashtextextended(string_agg(s.setrole || ' ' || s.setconfig::text, ' '
                        ORDER BY s.setdatabase, s.setrole), 0)
                    FROM pg_db_role_setting s
                    WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
                        AND s.setrole IN (0, (SELECT r.oid FROM pg_roles r WHERE r.rolname = session_user))
                ), 0) AS settings,
                nullif(current_setting('reengagement.now', true), '') AS clock
            ) login
            """)

    private let database: Database
    private let renew: @Sendable () -> Void
    private let logger: Logger
    private let state = Monitor(State())
    private let loop = ThreadLoop()

    /// - Parameter renew: replaces the pool's connections.
    init(database: @escaping Database, renew: @escaping @Sendable () -> Void, logger: Logger) {
        (self.database, self.renew, self.logger) = (database, renew, logger)
    }

    /// True if all responses are for a fixed time that an operator has set (definitions.md section 2).
    var isClockFrozen: Bool { state.withLock { $0.clock != nil } }

    /// Starts the thread.
    func start() throws(Thread.StartError) {
        try loop.start(for: "the settings") { [self] in .after(readSettings() ? Self.pause : Self.pauseAfterFailure) }
    }

    /// Ends the thread.
    func stop() { loop.stop() }

    /// Reads the settings. False if the database did not answer.
    func readSettings() -> Bool {
        do throws(PostgreSQLError) {
            let row = try database(Query(Self.statement))[0]
            note(settings: row.text(Column.settings) ?? "", clock: row.text(Column.clock))
            return true
        } catch {
            // A request with the same error logs it at a higher level.
            logger.debug("the settings of new sessions could not be checked", metadata: ["reason": "\(error)"])
            return false
        }
    }

    private func note(settings: String, clock: String?) {
        let (before, clockBefore) = state.withLock { state in
            defer { (state.settings, state.clock) = (settings, clock) }
            return (state.settings, state.clock)
        }
        if let before, before != settings {
            logger.notice("settings of the login or the database have changed: connections are replaced")
            renew()
        }
        guard clock != clockBefore else { return }
        if let clock {
            logger.warning(
                "reengagement.now is set: every answer is as of then, and so is what is posted",
                metadata: ["reengagement_now": "\(clock)"])
        } else {
            logger.notice("reengagement.now is no longer set")
        }
    }
}
