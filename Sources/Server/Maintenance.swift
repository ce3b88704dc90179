import Logging
import PostgreSQL
import Threads

/// The background work: brings the derived data of each organization up to its source rows.
///
/// Answers do not depend on it: a reader that finds something pending does the work itself, or reads the
/// source. It needs nothing of PostgreSQL but the functions of `sql/flat`, and several servers may run it at once.
/// What fails for one organization is tried again after a pause, and keeps nothing from the others.
final class Maintenance: Sendable {
    /// Runs a query bound to an organization; "" where it looks across all of them.
    typealias Database = @Sendable (_ query: Query, _ organization: String) throws(PostgreSQLError) -> QueryResult

    private let database: Database
    private let refreshes: Refreshes
    private let logger: Logger
    private let stopped = Monitor(false)
    private let rest = Monitor<Int?>(nil)
    private let seals: AuditSeals
    /// How long between two looks for work, where the last has left none.
    private let pause: Duration
    /// How long one organization may take before the others have their turn.
    private let turn: Duration

    /// After a look that failed: the database is away, or its schema is older than the server.
    private static let pauseAfterFailure = Duration.seconds(10)
    /// Patients in one transaction: small, so that readers never wait long for its lock.
    private static let chunk = 1000
    private static let organizationsAtOnce = 100
    /// How often the audit's months are looked after, which are made three months ahead.
    private static let betweenPartitions = Duration.seconds(300)

    private static let due = Statement(
        name: "organizations_due", sql: "SELECT * FROM re.organizations_due($1::int, $2::text[])")
    private static let makePartitions = Statement(
        name: "make_audit_partitions", sql: "SELECT re.make_audit_partitions()")
    private static let countRest = Statement(
        name: "audit_rest_entries", sql: "SELECT re.audit_rest_entries()")
    private static let advance = Statement(
        name: "advance", sql: "SELECT refreshed, remaining FROM re.advance($1, $2::int)")

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
        try Thread.start { [self] in
            var pause = Duration.zero
            var partitionsDue = ContinuousClock.now
            while !sleep(pause) {
                pause = lookForWork()
                seals.lookAfter()
                // Whatever has failed: an audit without its next months would go on in the rest for good.
                guard partitionsDue <= .now else { continue }
                partitionsDue = .now + (lookAfterMonths() ? Self.betweenPartitions : Self.pauseAfterFailure)
            }
        }.detach()
    }

    /// Lets the thread end after the chunk it is at.
    func stop() {
        stopped.withLock { $0 = true }
        stopped.notifyAll()
    }

    /// Has the audit sealed to its end, once nothing more is written.
    func sealRest(by deadline: ContinuousClock.Instant) { seals.finish(by: deadline) }

    /// How many entries of the audit no month has taken, as last counted (docs/audit.md); nil before that.
    var auditRest: Int? { rest.withLock { $0 } }

    /// For how long the oldest entry of the audit has been without a seal.
    var auditUnsealed: Duration { seals.age }

    /// Returns whether it was told to stop meanwhile.
    private func sleep(_ duration: Duration) -> Bool {
        stopped.wait(until: .now + duration) { $0 ? true : nil } ?? false
    }

    private func lookAfterMonths() -> Bool {
        do throws(PostgreSQLError) {
            let entries = try database(Query(Self.countRest), "")[0].int(0)
            rest.withLock { $0 = entries }
            _ = try database(Query(Self.makePartitions), "")
            return true
        } catch {
            logger.warning("the audit's months could not be looked after", metadata: ["reason": "\(error)"])
            return false
        }
    }

    /// Gives every organization that has something to do its turn; returns how long to pause then.
    private func lookForWork() -> Duration {
        let waiting = refreshes.waiting()
        let due: [String]
        do throws(PostgreSQLError) {
            due = try database(Query(Self.due, [String(Self.organizationsAtOnce), Self.array(waiting)]), "").rows
                .compactMap { $0.text(0) }
        } catch {
            return cannotGoOn(error)
        }
        // Of more than those that were asked for nobody knows.
        if due.count < Self.organizationsAtOnce { refreshes.keep(due: due + waiting) }
        var isLeft = false
        for organization in due {
            do throws(PostgreSQLError) {
                if try bringUpToDate(organization) { isLeft = true }
                refreshes.succeeded(organization)
            } catch {
                if error.isOfTheDatabase { return cannotGoOn(error) }
                refreshes.failed(organization, error)
            }
        }
        return isLeft ? .zero : pause
    }

    private func cannotGoOn(_ error: PostgreSQLError) -> Duration {
        logger.warning(
            "the background work could not go on", metadata: ["class": "\(error.kind)", "reason": "\(error)"])
        return Self.pauseAfterFailure
    }

    /// The text of an array, as PostgreSQL reads it: scalar by scalar, since a combining mark may follow a quote.
    private static func array(_ texts: [String]) -> String {
        var literal = String.UnicodeScalarView()
        for text in texts {
            literal.append(contentsOf: (literal.isEmpty ? "\"" : ",\"").unicodeScalars)
            for scalar in text.unicodeScalars {
                if scalar == "\"" || scalar == "\\" { literal.append("\\") }
                literal.append(scalar)
            }
            literal.append("\"")
        }
        return "{\(String(literal))}"
    }

    /// Returns whether its turn was over before its work was.
    private func bringUpToDate(_ organization: String) throws(PostgreSQLError) -> Bool {
        let started = ContinuousClock.now
        var refreshed = 0
        var isLeft = false
        while !stopped.withLock({ $0 }) {
            let row = try database(Query(Self.advance, [organization, String(Self.chunk)]), organization)[0]
            refreshed += row.int(0) ?? 0
            isLeft = row.text(1) == "t"
            // Of several organizations none waits for another's backlog: the rest comes with the next look, which
            // begins with those that have waited longest.
            guard isLeft, started.duration(to: .now) < turn else { break }
        }
        guard refreshed > 0 else { return isLeft }
        // A patient now and then is everyday life; a backlog is news.
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
    /// Whether the next organization would meet it too, as far as one can tell.
    fileprivate var isOfTheDatabase: Bool {
        switch cause {
        case .connectionLost, .unavailable, .acquireTimeout, .connectionLimit, .loginRefused, .outOfResources,
            .readOnly:
            true
        // A zone is the organization's, a conflict the moment's, a disk that is full may have room for less, and the audit
        // has no part in it.
        case .timeZoneUnknown, .conflict, .statementTimeout, .diskFull, .refused, .unexpectedResult, .auditUnavailable:
            false
        }
    }
}
