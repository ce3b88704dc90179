import Logging
import PostgreSQL
import Synchronization
import Threads

/// Looks at the start and now and then whether all that answers and isolation rest on is as it is to be.
///
/// What is wrong, the database's own functions say (``Subject``). It is logged when that changes, is counted, and keeps
/// the server from being ready (definitions.md, "What answers rest on").
final class FoundationWatch: Sendable {
    /// Runs a query that is bound to no organization.
    typealias Database = @Sendable (_ query: Query) throws(PostgreSQLError) -> QueryResult

    private struct State {
        /// Nil until the database has answered.
        var faults: [String]?
        var isStopped = false
    }

    /// What is looked at.
    struct Subject: Sendable {
        /// Says what is wrong, a row each.
        let statement: Statement
        /// The code of the error that says so; no SQLSTATE of PostgreSQL's own begins with R.
        let code: SQLState
        let pause: Duration
        /// What the log says where it is wrong.
        let wrong: String
        /// What the log says where it is right again.
        let rightAgain: String
        /// What the log says where it could not be looked at.
        let unseen: String
        /// Whether the server is not ready while it is wrong; else that is told, no more.
        var isEnforced = true

        /// What the last migration has left (`sql/foundation`).
        static let foundation = Subject(
            statement: Statement(name: "foundation_faults", sql: "SELECT fault FROM re.foundation_faults()"),
            code: SQLState("REFND"), pause: .seconds(60),
            wrong: "what answers and isolation rest on is not as migrate has left it: run migrate",
            rightAgain: "what answers and isolation rest on is there again",
            unseen: "what answers rest on could not be looked at")
    }

    /// Binds the transaction of a look, which waits for no lock on a table: of the pool's connections one is for the
    /// background work, and two that wait would take a worker's.
    static let binding = Statement(
        name: "bind_look",
        sql: """
            SELECT set_config('reengagement.organization', $1, true), set_config('lock_timeout', '1s', true),
                \(Statement.afresh)
            """)

    /// While something is missing, or the database has not answered.
    private static let pauseAfterFailure = Duration.seconds(5)
    /// Of a database that has lost everything the log needs no more than so many names.
    private static let mostNames = 20

    private let subject: Subject
    private let database: Database
    private let logger: Logger
    private let state = Monitor(State())
    private let isProven = Atomic(false)

    init(_ subject: Subject = .foundation, database: @escaping Database, logger: Logger) {
        (self.subject, self.database, self.logger) = (subject, database, logger)
    }

    /// How many things are missing or changed, as of the last look.
    var count: Int { state.withLock { $0.faults?.count ?? 0 } }

    /// Why the server is not ready, if this is the reason; whoever asks before the first look looks.
    var trouble: PostgreSQLError? {
        guard subject.isEnforced else { return nil }
        if state.withLock({ $0.faults }) == nil, let error = look() { return error }
        guard let faults = state.withLock({ $0.faults }), !faults.isEmpty else { return nil }
        return .refused(subject.code, Self.text(faults))
    }

    /// The same until it has been found right once; from then on requests are answered.
    var troubleBeforeProof: PostgreSQLError? { isProven.load(ordering: .relaxed) ? nil : trouble }

    /// Starts the thread.
    func start() throws(Thread.StartError) {
        try Thread.start { [self] in
            while true {
                let pause = look() == nil && count == 0 ? subject.pause : Self.pauseAfterFailure
                guard state.wait(until: .now + pause, { $0.isStopped ? true : nil }) == nil else { return }
            }
        }.detach()
    }

    /// Lets the thread end.
    func stop() {
        state.withLock { $0.isStopped = true }
        state.notifyAll()
    }

    /// Asks the database; returns why it could not answer. What was known before then stays.
    @discardableResult
    func look() -> PostgreSQLError? {
        do throws(PostgreSQLError) {
            var faults = try ask()
            // The catalogs are not read in one moment: beside a migration that is just committed, half of it may be seen.
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
        try database(Query(subject.statement)).rows.compactMap { $0.text(0) }
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

    /// What the log and an operator are told.
    static func text(_ faults: [String]) -> String {
        faults.prefix(mostNames).joined(separator: "; ") + (faults.count > mostNames ? "; …" : "")
    }
}
