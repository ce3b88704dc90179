import Threads

/// Connections shared by the worker threads.
///
///     let pool = ConnectionPool(parameters: parameters, capacity: 9, acquireTimeout: .seconds(2))
///     let rows = try pool.run(Query(statement, ["org_1"]), organization: "org_1")
///     rows[0].int(0)
///
/// ``PoolState`` makes all decisions, under the lock. Connections are opened and closed outside it.
public final class ConnectionPool: Sendable {
    /// The state at one moment.
    public struct Statistics: Sendable {
        public let capacity: Int
        public let leased: Int
        public let idle: Int
        public let waiting: Int
        /// The number of callers that waited until their deadline, since the start.
        public let timeouts: Int
        /// The number of sessions that could not be opened, by cause, since the start.
        public let failedOpenings: [DatabaseCause: Int]
    }

    /// An event that is not reported to any caller of the pool.
    public enum Event: Sendable {
        /// A session could not be opened, and the previous attempt did not fail for the same cause.
        case notOpened(PostgreSQLError)
        case refreshFailed(FailedRefresh)
    }

    let hosts: [ConnectionParameters]
    let hostCount: Int
    let acquireTimeout: Duration
    let state: Monitor<PoolState<Connection>>
    let notify: @Sendable (Event) -> Void
    // Shared by all pools. Each thread has its own part of it, and a thread may outlive a pool.
    static let waitingTime = ThreadTime()

    /// How long the calling thread has waited for connections or opened them, since the thread was started.
    public var timeWaited: Duration { Self.waitingTime.spent }

    public init(
        parameters: ConnectionParameters, capacity: Int, acquireTimeout: Duration,
        maximumAge: Duration = .seconds(1800), notify: @escaping @Sendable (Event) -> Void = { _ in }
    ) {
        self.notify = notify
        hosts = parameters.hosts
        hostCount = parameters.hostCount
        self.acquireTimeout = acquireTimeout
        state = Monitor(PoolState(capacity: capacity, maximumAge: maximumAge))
    }

    public var statistics: Statistics {
        state.withLock {
            Statistics(
                capacity: $0.capacity, leased: $0.leased, idle: $0.idleCount, waiting: $0.waiting,
                timeouts: $0.timeouts, failedOpenings: $0.failedOpenings)
        }
    }

    /// Replaces every connection after a change of settings. A leased connection is replaced once it is given back.
    public func renew() {
        close(state.withLock { $0.renew(now: .now) })
        state.notifyAll()
    }

    /// Runs a query in a transaction of its own, bound to `organization` by row-level security.
    ///
    /// It ends within the acquire timeout, the statement timeout and the grace of ``Connection`` together, even if it
    /// runs twice.
    ///
    /// - Parameter repeatable: whether it may run a second time if the connection broke. True only for reads, since a
    ///   write may have been carried out.
    public func run(
        _ query: Query, organization: String, repeatable: Bool = true
    ) throws(PostgreSQLError) -> QueryResult {
        try run(repeatable: repeatable) { connection throws(PostgreSQLError) in
            try connection.run([query], organization: organization)[1]
        }
    }

    /// Runs `query` in a transaction that `binding` binds to `organization`.
    ///
    /// Both must only read. ``Statement/binding(_:columns:settings:)`` makes such a binding statement.
    ///
    /// - Returns: the rows of the binding statement and of the query.
    public func run(
        binding: Statement, then query: Query?, organization: String
    ) throws(PostgreSQLError) -> BoundResults {
        try run(repeatable: true) { connection throws(PostgreSQLError) in
            let results = try connection.run(binding: binding, query.map { [$0] } ?? [], organization: organization)
            return BoundResults(binding: results[0], query: results.dropFirst().first)
        }
    }

    /// Runs queries in one transaction, bound to `organization`. They must only read.
    public func run(_ queries: [Query], organization: String) throws(PostgreSQLError) {
        try run(repeatable: true) { connection throws(PostgreSQLError) in
            _ = try connection.run(queries, organization: organization)
        }
    }

    /// Runs queries in a session that is opened for them and closed afterwards, if the pool has room for one.
    ///
    /// The pool does not reuse this session, which may lack rights that the older ones have.
    ///
    /// - Returns: false if there was no room, or no session could be opened.
    public func runInNewSession(_ queries: [Query], organization: String) throws(PostgreSQLError) -> Bool {
        guard let host = state.withLock({ $0.reserve() }) else { return false }
        guard let connection = openIfPossible(from: host) else { return false }
        defer { discard(connection) }
        _ = try connection.run(queries, organization: organization)
        return true
    }

    private func openIfPossible(from host: Int) -> Connection? {
        let began = ContinuousClock.now
        defer { Self.waitingTime.add(began.duration(to: .now)) }
        do throws(PostgreSQLError) {
            return try open(from: host, until: began + acquireTimeout)
        } catch {
            // The pool's state has the reason for callers that find no connection.
            return nil
        }
    }

    private func run<Result>(
        repeatable: Bool, _ body: (Connection) throws(PostgreSQLError) -> Result
    ) throws(PostgreSQLError) -> Result {
        let deadline = ContinuousClock.now + acquireTimeout
        let first = try lease(until: deadline)
        do throws(PostgreSQLError) {
            return try run(body, on: first)
        } catch {
            // A later attempt might end after the client has closed its connection.
            guard mayRepeat(error, repeatable), .now < deadline else { throw error }
        }
        // The idle connections may break for the same reason.
        return try run(body, on: lease(until: deadline, new: true))
    }

    /// True if the statement may run again in another session.
    ///
    /// A refused statement was not carried out, and another session may accept writes or prepare the statement after a
    /// migration. After a lost connection, only a repeatable statement may run again.
    private func mayRepeat(_ error: PostgreSQLError, _ repeatable: Bool) -> Bool {
        if case .outdatedPlan = error { return true }
        return switch error.cause {
        case .readOnly: true
        case .connectionLost: repeatable
        default: false
        }
    }

    private func run<Result>(
        _ body: (Connection) throws(PostgreSQLError) -> Result, on connection: Connection
    ) throws(PostgreSQLError) -> Result {
        defer {
            let failed = connection.takeFailedRefreshes()
            giveBack(connection)
            for refresh in failed { notify(.refreshFailed(refresh)) }
        }
        return try body(connection)
    }
}
