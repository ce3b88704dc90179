import Logging
import PostgreSQL
import Threads

/// Looks at the start and once a minute whether all that answers and isolation rest on is as the last migration has left it.
///
/// The list is the database's own (`sql/foundation`). What is missing is logged when that changes, is counted, and keeps
/// the server from being ready (definitions.md, "What answers rest on").
final class FoundationWatch: Sendable {
    /// Runs a query that is bound to no organization.
    typealias Database = @Sendable (_ query: Query) throws(PostgreSQLError) -> QueryResult

    private struct State {
        /// Nil until the database has answered.
        var faults: [String]?
        var isStopped = false
    }

    /// The code of the error that says so; no SQLSTATE of PostgreSQL's own begins with R.
    static let notAsMigrated = SQLState("REFND")
    private static let faults = Statement(name: "foundation_faults", sql: "SELECT fault FROM re.foundation_faults()")
    private static let pause = Duration.seconds(60)
    /// While something is missing, or the database has not answered.
    private static let pauseAfterFailure = Duration.seconds(5)
    /// Of a database that has lost everything the log needs no more than so many names.
    private static let mostNames = 20

    private let database: Database
    private let logger: Logger
    private let state = Monitor(State())

    init(database: @escaping Database, logger: Logger) {
        (self.database, self.logger) = (database, logger)
    }

    /// How many things are missing or changed, as of the last look.
    var count: Int { state.withLock { $0.faults?.count ?? 0 } }

    /// Why the server is not ready, if this is the reason; whoever asks before the first look looks.
    var trouble: PostgreSQLError? {
        if state.withLock({ $0.faults }) == nil, let error = look() { return error }
        guard let faults = state.withLock({ $0.faults }), !faults.isEmpty else { return nil }
        return .refused(Self.notAsMigrated, Self.text(faults))
    }

    /// Starts the thread.
    func start() throws(Thread.StartError) {
        try Thread.start { [self] in
            while true {
                let pause = look() == nil && count == 0 ? Self.pause : Self.pauseAfterFailure
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
            logger.warning("what answers rest on could not be looked at", metadata: ["reason": "\(error)"])
            return error
        }
    }

    private func ask() throws(PostgreSQLError) -> [String] {
        try database(Query(Self.faults)).rows.compactMap { $0.text(0) }
    }

    private func note(_ faults: [String]) {
        let before = state.withLock { state in
            defer { state.faults = faults }
            return state.faults
        }
        guard faults != before else { return }
        if !faults.isEmpty {
            logger.error(
                "what answers and isolation rest on is not as migrate has left it: run migrate",
                metadata: ["faults": "\(Self.text(faults))", "count": "\(faults.count)"])
        } else if before != nil {
            logger.notice("what answers and isolation rest on is there again")
        }
    }

    private static func text(_ faults: [String]) -> String {
        faults.prefix(mostNames).joined(separator: "; ") + (faults.count > mostNames ? "; …" : "")
    }
}
