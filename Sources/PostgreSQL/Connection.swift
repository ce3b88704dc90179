import CPostgreSQL
import Glibc

/// A connection to PostgreSQL that is in pipeline mode while it is open.
///
/// The pipeline binds the organization for row-level security in the same round trip and the same implicit transaction
/// as the statement itself (libpq, section 34.5).
// @unchecked: the pool leases a connection to one thread at a time, and nothing else uses one.
final class Connection: @unchecked Sendable {
    private let handle: OpaquePointer
    private let statementTimeout: Duration
    private var prepared: Set<String> = []
    /// True if ``laterSettings`` has run.
    private var hasAllSettings = false
    /// The organization of the current statement.
    private(set) var organization = ""
    var failedRefreshes: [FailedRefresh] = []
    /// True if the session refused a write. Another session may accept it, for instance after a failover.
    private(set) var isReadOnly = false
    /// True if a right was missing, as in a session without the server's role.
    private var lacksRights = false
    /// True if the database's functions changed after a statement had been prepared.
    private var isOutdated = false
    /// When the connection was opened. The pool closes old connections.
    let openedAt: ContinuousClock.Instant

    private var isClosed = false

    /// Binds a transaction to an organization and changes nothing else.
    static let setOrganization = Statement.binding("set_organization")
    /// Resets settings of a login or a database that PostgreSQL 15.0 does not know.
    ///
    /// A start-up packet must not contain these. ``ConnectionParameters`` resets the others.
    private static let laterSettings = Statement(
        name: "later_settings",
        sql: """
            SELECT set_config(v.name, v.value, false)
            FROM (VALUES ('transaction_timeout', '0'), ('restrict_nonsystem_relation_kind', '')) AS v (name, value)
            WHERE current_setting(v.name, true) <> v.value
            """)
    /// How long after the server's own timeout the client abandons a statement and its connection.
    private static let graceAfterStatementTimeout = Duration.milliseconds(250)

    private init(handle: OpaquePointer, statementTimeout: Duration) {
        self.handle = handle
        self.statementTimeout = statementTimeout
        openedAt = .now
    }

    deinit { close() }

    /// Ends the session. No statement may run on it afterwards.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        PQfinish(handle)
    }

    /// Opens a connection, or fails at `deadline`.
    static func open(
        _ parameters: ConnectionParameters, deadline: ContinuousClock.Instant
    ) throws(PostgreSQLError) -> Connection {
        let keywords = parameters.keywords.map { strdup($0.keyword) } + [nil]
        let values = parameters.keywords.map { strdup($0.value) } + [nil]
        defer { for pointer in keywords + values { free(pointer) } }
        let handle = PQconnectStartParams(
            keywords.map { UnsafePointer($0) }, values.map { UnsafePointer($0) }, 0)
        guard let handle else { throw .connectionLost("out of memory") }
        let connection = Connection(handle: handle, statementTimeout: parameters.statementTimeout)
        // With this, libpq reports PostgreSQL's own refusal by its code alone, which quotes no value.
        PQsetErrorVerbosity(handle, PQERRORS_SQLSTATE)
        try connection.finishConnecting(deadline)
        // By default, libpq writes notices to stderr, and these may quote data. The handle does not outlive the
        // connection.
        PQsetNoticeReceiver(
            handle, { Connection.receive($1, for: $0) }, Unmanaged.passUnretained(connection).toOpaque())
        guard PQsetnonblocking(handle, 1) == 0, PQenterPipelineMode(handle) == 1 else { throw connection.lost() }
        return connection
    }

    private func finishConnecting(_ deadline: ContinuousClock.Instant) throws(PostgreSQLError) {
        guard PQstatus(handle) != CONNECTION_BAD else { throw notOpened() }
        var status = PGRES_POLLING_WRITING
        while status != PGRES_POLLING_OK {
            let events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT
            guard wait(for: events, until: deadline) else { throw .connectionLost("connecting took too long") }
            status = PQconnectPoll(handle)
            guard status != PGRES_POLLING_FAILED else { throw notOpened() }
        }
    }

    /// Runs queries in one implicit transaction.
    ///
    /// - Parameter binding: the first statement, which binds the transaction to `organization`, its one parameter.
    /// - Returns: the rows of the binding statement and of each query.
    /// - Throws: ``PostgreSQLError``. After ``PostgreSQLError/statementTimeout`` or
    ///   ``PostgreSQLError/connectionLost(_:)`` the connection may be unusable (``isReusable()``).
    func run(
        binding: Statement = Connection.setOrganization, _ queries: [Query], organization: String
    ) throws(PostgreSQLError) -> [QueryResult] {
        self.organization = organization
        return try run([Query(binding, [organization])] + queries)
    }

    private func run(_ queries: [Query]) throws(PostgreSQLError) -> [QueryResult] {
        guard !hasAllSettings else { return try runAll(queries) }
        let results = try runAll([Query(Self.laterSettings)] + queries)
        hasAllSettings = true
        return Array(results.dropFirst())
    }

    /// Prepares the statements that are new to the connection, and runs all queries in one pipeline.
    private func runAll(_ queries: [Query]) throws(PostgreSQLError) -> [QueryResult] {
        var unprepared: [Statement] = []
        for query in queries where !prepared.contains(query.statement.name) && !unprepared.contains(query.statement) {
            unprepared.append(query.statement)
        }
        for statement in unprepared { try sent(PQsendPrepare(handle, statement.name, statement.sql, 0, nil)) }
        for query in queries { try send(query) }
        try sent(PQpipelineSync(handle))
        let results = try receive(preparing: unprepared, running: queries)
        guard results.count == queries.count else { throw .unexpectedResult("\(results.count) results") }
        return results
    }

    private func send(_ query: Query) throws(PostgreSQLError) {
        let parameters = query.parameters.map { $0.flatMap { strdup($0) } }
        defer { for parameter in parameters { free(parameter) } }
        try sent(
            PQsendQueryPrepared(
                handle, query.statement.name, CInt(parameters.count), parameters.map { UnsafePointer($0) }, nil,
                nil, 0))
    }

    private func sent(_ result: CInt) throws(PostgreSQLError) {
        guard result == 1 else { throw lost() }
    }

    /// Reads all results up to the end of the pipeline.
    private func receive(
        preparing unprepared: [Statement], running queries: [Query]
    ) throws(PostgreSQLError) -> [QueryResult] {
        let deadline = ContinuousClock.now + statementTimeout + Self.graceAfterStatementTimeout
        var remaining = unprepared[...]
        var rows: [QueryResult] = []
        var failure: PostgreSQLError?
        while true {
            try awaitResult(until: deadline)
            // NULL ends the results of one command.
            guard let raw = PQgetResult(handle) else {
                guard PQstatus(handle) == CONNECTION_OK else { throw lost() }
                continue
            }
            let result = QueryResult(owning: raw)
            switch PQresultStatus(raw) {
            case PGRES_COMMAND_OK: if let statement = remaining.popFirst() { prepared.insert(statement.name) }
            case PGRES_TUPLES_OK: rows.append(result)
            case PGRES_PIPELINE_ABORTED: break
            case PGRES_PIPELINE_SYNC:
                if let failure { throw failure }
                return rows
            default:
                // The first statement without a result failed. PostgreSQL skips the later ones.
                let failed = remaining.isEmpty ? queries.dropFirst(rows.count).first?.statement : nil
                failure = failure ?? error(of: raw, isPrepared: failed.map { !unprepared.contains($0) } ?? false)
                guard PQstatus(handle) == CONNECTION_OK else { throw failure ?? lost() }
            }
        }
    }

    /// Sends buffered data and waits until the next result is available without blocking.
    private func awaitResult(until deadline: ContinuousClock.Instant) throws(PostgreSQLError) {
        while true {
            let unsent = PQflush(handle)
            guard unsent >= 0 else { throw lost() }
            if PQisBusy(handle) == 0 { return }
            guard wait(for: unsent == 1 ? POLLIN | POLLOUT : POLLIN, until: deadline) else { throw .statementTimeout }
            guard PQconsumeInput(handle) == 1 else { throw lost() }
        }
    }

    private func wait(for events: CInt, until deadline: ContinuousClock.Instant) -> Bool {
        var descriptor = pollfd(fd: PQsocket(handle), events: Int16(events), revents: 0)
        while true {
            let remaining = ContinuousClock.now.duration(to: deadline)
            guard remaining > .zero else { return false }
            let count = poll(&descriptor, 1, CInt(clamping: remaining.milliseconds + 1))
            if count > 0 { return true }
            guard count == 0 || errno == EINTR else { return false }
        }
    }

    /// True if the next request may use the connection: it is open, idle and outside a transaction.
    func isReusable() -> Bool {
        !lacksRights && !isOutdated && PQstatus(handle) == CONNECTION_OK && PQtransactionStatus(handle) == PQTRANS_IDLE
            && PQpipelineStatus(handle) == PQ_PIPELINE_ON
    }

    /// True if the server closed the connection while it was idle. libpq reports that only at the next statement.
    func isStale() -> Bool {
        var descriptor = pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0)
        // The server may have sent messages before it closed. They are read first.
        while poll(&descriptor, 1, 0) != 0 {
            guard PQconsumeInput(handle) == 1, PQstatus(handle) == CONNECTION_OK else { return true }
        }
        return false
    }

    private func error(of result: OpaquePointer, isPrepared: Bool) -> PostgreSQLError {
        // libpq reports a killed backend without an SQLSTATE.
        guard let state = text(result, reengagement_PG_DIAG_SQLSTATE).map(SQLState.init) else { return lost() }
        if state == .readOnlyTransaction { isReadOnly = true }
        if state == .insufficientPrivilege { lacksRights = true }
        let error = PostgreSQLError(state: state, message: text(result, reengagement_PG_DIAG_MESSAGE_PRIMARY) ?? "")
        guard isPrepared, case .outdatedPlan = error.ofPreparedStatement else { return error }
        isOutdated = true
        return error.ofPreparedStatement
    }

    private func notOpened() -> PostgreSQLError {
        let message = String(cString: PQerrorMessage(handle))
        guard let state = LibpqMessage.state(message) else { return lost() }
        return .noSession(state, LibpqMessage.reason(message))
    }

    private func lost() -> PostgreSQLError {
        .connectionLost(LibpqMessage.reason(String(cString: PQerrorMessage(handle))))
    }
}
