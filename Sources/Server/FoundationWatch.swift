import Logging
import PostgreSQL
import Synchronization
import Threads

/// Checks at the start and periodically that the database objects behind responses and isolation are intact.
///
/// A database function lists the errors (``Subject``). Changes are logged, the errors are counted, and the server is
/// not ready while there are any (definitions.md, "The foundation").
final class FoundationWatch: Sendable {
    /// Runs a query that is bound to no organization.
    typealias Database = @Sendable (_ query: Query) throws(PostgreSQLError) -> QueryResult

    private struct State {
        /// The errors of the last check. Nil until the database has answered.
        var faults: [String]?
    }

    /// The columns of a check's statement.
    enum Column: Int, SelectedColumn {
        case fault
    }

    /// A check: its statement and its log messages.
    struct Subject: Sendable {
        /// Returns a row for each error.
        let statement: Statement
        /// The SQLSTATE for these errors. PostgreSQL has no code that begins with R.
        let code: SQLState
        let pause: Duration
        /// The purpose of the thread, for the text of a ``Thread/StartError``.
        let purpose: String
        /// The log message when there are errors.
        let wrong: String
        /// The log message when the errors are gone.
        let rightAgain: String
        /// The log message when the check failed.
        let unseen: String
        /// Whether errors make the server not ready. Otherwise they are only logged and counted.
        var isEnforced = true

        /// Compares the database with its state after the last migration (`sql/foundation`).
        static let foundation = Subject(
            statement: Statement(
                name: "foundation_faults", sql: "SELECT \(Column.selected) FROM re.foundation_faults()"),
            code: SQLState("REFND"), pause: .seconds(60), purpose: "the foundation",
            wrong: "the foundation of responses and isolation differs from the state after migrate: run migrate",
            rightAgain: "the foundation of responses and isolation is complete again",
            unseen: "the foundation could not be checked")
    }

    /// Binds the transaction of a check, with a `lock_timeout` of one second.
    ///
    /// The pool has one connection more than there are workers, for background work. A check that waits for a lock
    /// together with other background work would take a worker's connection.
    static let binding = Statement.binding("bind_look", settings: ["lock_timeout": "1s"])

    /// The pause while there are errors, or while the database does not answer.
    private static let pauseAfterFailure = Duration.seconds(5)
    /// The maximum number of errors in one log line.
    private static let mostNames = 20

    private let subject: Subject
    private let database: Database
    private let logger: Logger
    private let state = Monitor(State())
    private let isProven = Atomic(false)
    private let loop = ThreadLoop()

    init(_ subject: Subject = .foundation, database: @escaping Database, logger: Logger) {
        (self.subject, self.database, self.logger) = (subject, database, logger)
    }

    /// The number of errors that the last check found.
    var count: Int { state.withLock { $0.faults?.count ?? 0 } }

    /// The error that makes the server not ready. It runs the check if none has succeeded yet.
    var trouble: PostgreSQLError? {
        guard subject.isEnforced else { return nil }
        if state.withLock({ $0.faults }) == nil, let error = check() { return error }
        guard let faults = state.withLock({ $0.faults }), !faults.isEmpty else { return nil }
        return .refused(subject.code, Self.text(faults))
    }

    /// The error for which requests are refused. Nil once a check has found no error, even if errors appear later.
    var troubleBeforeProof: PostgreSQLError? { isProven.load(ordering: .relaxed) ? nil : trouble }

    /// Starts the thread.
    func start() throws(Thread.StartError) {
        try loop.start(for: subject.purpose) { [self] in
            .after(check() == nil && count == 0 ? subject.pause : Self.pauseAfterFailure)
        }
    }

    /// Ends the thread.
    func stop() { loop.stop() }

    /// Runs the check. Returns an error if the database could not answer, and the last result then stays valid.
    @discardableResult
    func check() -> PostgreSQLError? {
        do throws(PostgreSQLError) {
            var faults = try ask()
            // The catalogs are not read in one snapshot, so a check may see half of a concurrent migration.
            if !faults.isEmpty { faults = try ask() }
            note(faults)
            return nil
        } catch {
            guard error.isTemporary else {
                note(["the list cannot be read: \(error)"])
                return nil
            }
            logger.warning("\(subject.unseen)", metadata: ["reason": "\(error)"])
            return error
        }
    }

    private func ask() throws(PostgreSQLError) -> [String] {
        try database(Query(subject.statement)).rows.compactMap { $0.text(Column.fault) }
    }

    private func note(_ faults: [String]) {
        let before = state.withLock { state in
            defer { state.faults = faults }
            return state.faults
        }
        if faults.isEmpty { isProven.store(true, ordering: .relaxed) }
        guard faults != before else { return }
        if !faults.isEmpty {
            logger.log(
                level: subject.isEnforced ? .error : .warning, "\(subject.wrong)",
                metadata: ["faults": "\(Self.text(faults))", "count": "\(faults.count)"])
        } else if before != nil {
            logger.notice("\(subject.rightAgain)")
        }
    }

    /// The errors as text for the log and the operator.
    static func text(_ faults: [String]) -> String {
        faults.prefix(mostNames).joined(separator: "; ") + (faults.count > mostNames ? "; …" : "")
    }
}
