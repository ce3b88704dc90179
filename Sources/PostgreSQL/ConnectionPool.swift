import Threads

/// Connections shared by the worker threads.
///
/// All decisions are ``PoolState``'s, taken under the lock; connecting and closing happen outside it.
public final class ConnectionPool: Sendable {
    /// What the pool holds at one moment.
    public struct Statistics: Sendable {
        public let capacity: Int
        public let leased: Int
        public let idle: Int
        public let waiting: Int
        /// Callers who waited until their deadline, since the start.
        public let timeouts: Int
    }

    private let parameters: ConnectionParameters
    private let acquireTimeout: Duration
    private let state: Monitor<PoolState<Connection>>
    private let waitingTime = ThreadTime()

    /// How long the calling thread has waited for connections since it was started, or opened them.
    public var timeWaited: Duration { waitingTime.spent }

    public init(
        parameters: ConnectionParameters, capacity: Int, acquireTimeout: Duration,
        maximumAge: Duration = .seconds(1800)
    ) {
        self.parameters = parameters
        self.acquireTimeout = acquireTimeout
        state = Monitor(PoolState(capacity: capacity, maximumAge: maximumAge))
    }

    public var statistics: Statistics {
        state.withLock {
            Statistics(
                capacity: $0.capacity, leased: $0.leased, idle: $0.idleCount, waiting: $0.waiting,
                timeouts: $0.timeouts)
        }
    }

    /// Runs a query on a connection of its own, bound to `organization` by row-level security.
    ///
    /// - Parameter repeatable: whether it may run a second time where the connection broke under it; true of
    ///   reads alone, since a write may have been carried out.
    public func run(
        _ query: Query, organization: String, repeatable: Bool = true
    ) throws(PostgreSQLError) -> QueryResult {
        try run(repeatable: repeatable) { connection throws(PostgreSQLError) in
            try connection.run(query, organization: organization)
        }
    }

    /// Runs a statement that binds the transaction to `organization`, its one parameter, by itself, and `query` after
    /// it in the same transaction; both only read.
    ///
    /// - Returns: the rows of each.
    public func run(
        binding: Statement, then query: Query?, organization: String
    ) throws(PostgreSQLError) -> [QueryResult] {
        try run(repeatable: true) { connection throws(PostgreSQLError) in
            try connection.run(binding: binding, then: query, organization: organization)
        }
    }

    private func run<Result>(
        repeatable: Bool, _ body: (Connection) throws(PostgreSQLError) -> Result
    ) throws(PostgreSQLError) -> Result {
        do {
            return try runOnce(body)
        } catch .connectionLost where repeatable {
            return try runOnce(body)
        }
    }

    private func runOnce<Result>(
        _ body: (Connection) throws(PostgreSQLError) -> Result
    ) throws(PostgreSQLError) -> Result {
        let connection = try lease(until: .now + acquireTimeout)
        defer { giveBack(connection) }
        return try body(connection)
    }

    private func lease(until deadline: ContinuousClock.Instant) throws(PostgreSQLError) -> Connection {
        let began = ContinuousClock.now
        defer { waitingTime.add(began.duration(to: .now)) }
        while true {
            guard let connection = try nextIdle(until: deadline) else { return try open(until: deadline) }
            if !connection.isStale() { return connection }
            state.withLock { $0.discard() }
            state.notifyAll()
        }
    }

    /// Waits for a place; nil where a connection is to be opened for it.
    private func nextIdle(until deadline: ContinuousClock.Instant) throws(PostgreSQLError) -> Connection? {
        let (ticket, expired) = state.withLock { ($0.takeTicket(), $0.expire(now: .now)) }
        _ = expired  // Closed as the last reference goes, outside the lock.
        let lease = state.wait(until: deadline) { state -> PoolState<Connection>.Lease? in
            let lease = state.lease(ticket)
            if case .wait = lease { return nil }
            return lease
        }
        // Whoever is next in the queue has to look again.
        defer { state.notifyAll() }
        switch lease {
        case .use(let connection): return connection
        case .open: return nil
        case .wait, nil:
            state.withLock { $0.giveUp(ticket) }
            throw .acquireTimeout
        }
    }

    private func open(until deadline: ContinuousClock.Instant) throws(PostgreSQLError) -> Connection {
        do throws(PostgreSQLError) {
            return try Connection.open(parameters, deadline: deadline)
        } catch {
            state.withLock { $0.discard() }
            state.notifyAll()
            throw error
        }
    }

    private func giveBack(_ connection: Connection) {
        let reusable = connection.isReusable()
        let closing = state.withLock {
            $0.giveBack(connection, openedAt: connection.openedAt, reusable: reusable, now: .now)
        }
        _ = closing  // Closed as the last reference goes, outside the lock.
        state.notifyAll()
    }
}
