import Logging
import PostgreSQL
import Threads

/// The background thread that refreshes each organization's derived data and maintains the audit.
///
/// Responses do not depend on it: a request that finds a pending change refreshes the data itself, or reads the source
/// tables. Several servers may run this thread at once. An organization whose refresh fails is retried after a pause,
/// and does not delay the others.
final class Maintenance: Sendable {
    /// Runs a query bound to an organization. "" is for queries across all of them.
    typealias Database = @Sendable (_ query: Query, _ organization: String) throws(PostgreSQLError) -> QueryResult

    private let database: Database
    private let refreshes: Refreshes
    private let logger: Logger
    private let loop = ThreadLoop()
    private let rest = Monitor<Int?>(nil)
    private let partitionsDue = Monitor(ContinuousClock.now)
    private let seals: AuditSeals
    /// The pause before the next query for pending changes, if none is left.
    private let pause: Duration
    /// The maximum time for one organization before the next one.
    private let turn: Duration

    /// The pause after a failed query: the database is unreachable, or its schema is older than the server.
    private static let pauseAfterFailure = Duration.seconds(10)
    /// Patients per transaction. Few, so that readers never wait long for its lock.
    private static let chunk = 1000
    private static let organizationsAtOnce = 100
    /// How often the audit's monthly partitions are checked. They are created three months ahead.
    private static let betweenPartitions = Duration.seconds(300)

    private enum DueColumn: Int, SelectedColumn {
        case organization
    }

    private enum RestColumn: Int, SelectedColumn {
        case entries
    }

    private enum AdvanceColumn: Int, SelectedColumn {
        case refreshed, remaining, busy
    }

    private static let due = Statement(
        name: "organizations_due",
        sql: "SELECT \(DueColumn.selected) FROM re.organizations_due($1::int, $2::text[]) AS organization")
    private static let makePartitions = Statement(
        name: "make_audit_partitions", sql: "SELECT re.make_audit_partitions()")
    private static let countRest = Statement(
        name: "audit_rest_entries", sql: "SELECT \(RestColumn.selected) FROM re.audit_rest_entries() AS entries")
    private static let advance = Statement(
        name: "advance", sql: "SELECT \(AdvanceColumn.selected) FROM re.advance($1, $2::int)")

    init(
        database: @escaping Database, refreshes: Refreshes, logger: Logger, pause: Duration = .seconds(1),
        turn: Duration = .seconds(1)
    ) {
        self.database = database
        self.refreshes = refreshes
        self.logger = logger
        self.pause = pause
        self.turn = turn
        seals = AuditSeals(
            database: { (query) throws(PostgreSQLError) in try database(query, "") }, logger: logger)
    }

    /// Starts the thread.
    func start() throws(Thread.StartError) {
        try loop.start(for: "the background work") { [self] in
            let pause = refreshAll()
            seals.sealIfDue()
            makePartitionsIfDue()
            return .after(pause)
        }
    }

    /// Ends the thread after the current chunk.
    func stop() { loop.stop() }

    /// Seals the last entries of the audit. Call it after the last entry has been written.
    func sealRest(by deadline: ContinuousClock.Instant) { seals.finish(by: deadline) }

    /// The number of audit entries outside the monthly partitions, as last counted (docs/audit.md). Nil before that.
    var auditRest: Int? { rest.withLock { $0 } }

    /// The time that the oldest audit entry has been without a seal.
    var auditUnsealed: Duration { seals.age }

    /// Creates the audit's next monthly partitions, if the check is due.
    ///
    /// It runs even after other failures, because an entry without a monthly partition stays in the default partition.
    private func makePartitionsIfDue() {
        guard partitionsDue.withLock({ $0 <= .now }) else { return }
        let pause = makePartitions() ? Self.betweenPartitions : Self.pauseAfterFailure
        partitionsDue.withLock { $0 = .now + pause }
    }

    private func makePartitions() -> Bool {
        do throws(PostgreSQLError) {
            let entries = try database(Query(Self.countRest), "")[0].int(RestColumn.entries)
            rest.withLock { $0 = entries }
            _ = try database(Query(Self.makePartitions), "")
            return true
        } catch {
            logger.warning("the audit's partitions could not be maintained", metadata: ["reason": "\(error)"])
            return false
        }
    }

    /// Refreshes every organization with a pending change. Returns the pause before the next run.
    private func refreshAll() -> Duration {
        let waiting = refreshes.waiting()
        let due: [String]
        do throws(PostgreSQLError) {
            due = try database(Query(Self.due, [String(Self.organizationsAtOnce), ArrayLiteral.text(of: waiting)]), "")
                .rows
                .compactMap { $0.text(DueColumn.organization) }
        } catch {
            return reportFailure(error)
        }
        // A full page may not contain all organizations with a pending change.
        if due.count < Self.organizationsAtOnce { refreshes.keep(due: due + waiting) }
        var isLeft = false
        for organization in due {
            do throws(PostgreSQLError) {
                if try bringUpToDate(organization) { isLeft = true }
                refreshes.succeeded(organization)
            } catch {
                if error.isOfTheDatabase { return reportFailure(error) }
                refreshes.failed(organization, error)
            }
        }
        return isLeft ? .zero : pause
    }

    /// Refreshes one chunk of an organization's patients. It is busy if another session does so.
    static func advance(
        _ organization: String, by database: Database
    ) throws(PostgreSQLError) -> (refreshed: Int, isLeft: Bool, isBusy: Bool) {
        let row = try database(Query(advance, [organization, String(chunk)]), organization)[0]
        return (
            row.int(AdvanceColumn.refreshed) ?? 0, row.bool(AdvanceColumn.remaining) ?? false,
            row.bool(AdvanceColumn.busy) ?? false
        )
    }

    private func reportFailure(_ error: PostgreSQLError) -> Duration {
        logger.warning(
            "the background work failed", metadata: ["class": "\(error.kind)", "reason": "\(error)"])
        return Self.pauseAfterFailure
    }

    /// Refreshes one organization. Returns whether patients are left for a later turn.
    private func bringUpToDate(_ organization: String) throws(PostgreSQLError) -> Bool {
        let started = ContinuousClock.now
        var refreshed = 0
        var isLeft = false
        while !loop.isStopped {
            let advance = try Self.advance(organization, by: database)
            refreshed += advance.refreshed
            isLeft = advance.isLeft
            // Each organization has a time limit, so that none waits for another's backlog. The next query for pending
            // changes begins with the organizations that have waited longest.
            guard isLeft, started.duration(to: .now) < turn else { break }
        }
        guard refreshed > 0 else { return isLeft }
        // Single patients are usual. Only a backlog is logged at `info`.
        logger.log(
            level: refreshed >= Self.chunk ? .info : .debug, "derived data brought up to date",
            metadata: [
                "organization": "\(organization)", "patients": "\(refreshed)",
                "duration_ms": "\(Int(started.duration(to: .now) / .milliseconds(1)))",
            ])
        return isLeft
    }
}

extension PostgreSQLError {
    /// True if the next organization would probably fail in the same way.
    var isOfTheDatabase: Bool {
        switch cause {
        case .connectionLost, .unavailable, .acquireTimeout, .connectionLimit, .loginRefused, .outOfResources,
            .readOnly:
            true
        // A time zone belongs to one organization, a conflict is temporary, a full disk may have room for a smaller
        // change, and a refresh writes no audit entry.
        case .timeZoneUnknown, .conflict, .statementTimeout, .diskFull, .refused, .unexpectedResult, .auditUnavailable:
            false
        }
    }
}
