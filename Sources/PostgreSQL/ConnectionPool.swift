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
        /// Sessions that could not be opened, since the start.
        public let failedOpenings: [DatabaseCause: Int]
    }

    /// What happens to a pool that its callers do not see.
    public enum Event: Sendable {
        /// A session could not be opened, for another cause than the last, if that failed too.
        case notOpened(PostgreSQLError)
        case refreshFailed(FailedRefresh)
    }

    private let hosts: [ConnectionParameters]
    private let hostCount: Int
    private let acquireTimeout: Duration
    private let state: Monitor<PoolState<Connection>>
    private let notify: @Sendable (Event) -> Void
    // One for all pools: threads outlive a pool, and it cannot free what each has of it.
    private static let waitingTime = ThreadTime()

    /// How long the calling thread has waited for connections since it was started, or opened them.
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

    /// Has every connection replaced, those in use once they come back: settings of theirs have changed.
    public func renew() {
        let closing = state.withLock { $0.renew(now: .now) }
        _ = closing  // Closed as the last reference goes, outside the lock.
        state.notifyAll()
    }

    /// Runs a query on a connection of its own, bound to `organization` by row-level security.
    ///
    /// However often it is run, it ends within the acquire timeout, the statement timeout and the grace of
    /// ``Connection`` together.
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

    /// Runs queries that only read in one transaction, bound to `organization`.
    public func run(_ queries: [Query], organization: String) throws(PostgreSQLError) {
        try run(repeatable: true) { connection throws(PostgreSQLError) in
            _ = try connection.run(queries, organization: organization)
        }
    }

    /// Does the same in a session that is opened for it and closed after it, if the pool has room for one.
    ///
    /// It is never kept: it may be one of many that cannot do what the older ones can.
    ///
    /// - Returns: false where there was no room, or none could be opened.
    public func runInNewSession(_ queries: [Query], organization: String) throws(PostgreSQLError) -> Bool {
        guard let host = state.withLock({ $0.reserve() }) else { return false }
        guard let connection = openIfPossible(from: host) else { return false }
        defer {
            state.withLock { $0.discard() }
            state.notifyAll()
        }
        _ = try connection.run(queries, organization: organization)
        return true
    }

    private func openIfPossible(from host: Int) -> Connection? {
        let began = ContinuousClock.now
        defer { Self.waitingTime.add(began.duration(to: .now)) }
        do throws(PostgreSQLError) {
            return try open(from: host, until: began + acquireTimeout)
        } catch {
            // The state has the reason, for who needs a connection and finds none.
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
            // Later, a second attempt might end after whoever asked has gone.
            guard mayRepeat(error, repeatable), .now < deadline else { throw error }
        }
        // What ended the first may be about to end those that are idle now.
        return try run(body, on: lease(until: deadline, new: true))
    }

    /// What a session refused was not carried out, and another may take it: one that takes writes, or one that prepares the
    /// statement by what a migration has made of the database.
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

    private func lease(
        until deadline: ContinuousClock.Instant, new: Bool = false
    ) throws(PostgreSQLError) -> Connection {
        let began = ContinuousClock.now
        defer { Self.waitingTime.add(began.duration(to: .now)) }
        var (new, hasTried) = (new, false)
        while true {
            switch nextLease(until: deadline, first: hasTried) {
            case .open(let host):
                if let connection = try openUnlessOthersServe(from: host, until: deadline) { return connection }
                hasTried = true
            case .use where new:
                let host = state.withLock { $0.replace() }
                if let connection = try openUnlessOthersServe(from: host, until: deadline) { return connection }
                (new, hasTried) = (false, true)
            case .use(let connection):
                if !connection.isStale() { return connection }
                state.withLock { $0.discard() }
                state.notifyAll()
            case .refuse(let failure): throw failure
            case .wait: throw .acquireTimeout
            }
        }
    }

    /// Opens a connection; returns nil where that failed, and another may come free in time.
    private func openUnlessOthersServe(
        from host: Int, until deadline: ContinuousClock.Instant
    ) throws(PostgreSQLError) -> Connection? {
        do throws(PostgreSQLError) {
            return try open(from: host, until: deadline)
        } catch {
            guard .now < deadline, state.withLock({ $0.hasOthers }) else { throw error }
            return nil
        }
    }

    /// Waits for a decision; one that still is to wait came at the deadline.
    private func nextLease(
        until deadline: ContinuousClock.Instant, first: Bool
    ) -> PoolState<Connection>.Lease {
        let now = ContinuousClock.now
        let (ticket, expired) = state.withLock { ($0.takeTicket(first: first), $0.expire(now: now)) }
        _ = expired  // Closed as the last reference goes, outside the lock.
        // Whoever is next in the queue has to look again.
        defer { state.notifyAll() }
        var limit = deadline
        while true {
            let lease = state.wait(until: limit) { [limit] state -> PoolState<Connection>.Lease? in
                let lease = state.lease(ticket, now: .now)
                guard case .wait(let instant) = lease else { return lease }
                return (instant ?? deadline) < limit ? lease : nil
            }
            switch lease {
            case .wait(let instant?): limit = instant
            case nil where limit < deadline: limit = deadline
            case .wait, nil:
                return state.withLock { $0.giveUp(ticket) }.map { .refuse($0) } ?? .wait(until: nil)
            case .use(let connection): return .use(connection)
            case .open(let host): return .open(host: host)
            case .refuse(let failure): return .refuse(failure)
            }
        }
    }

    /// Asks one host after the other, each for its share of the time, so that one that does not answer at all
    /// leaves some for the next.
    private func open(from first: Int, until deadline: ContinuousClock.Instant) throws(PostgreSQLError) -> Connection {
        let start = ContinuousClock.now
        var failures: [PostgreSQLError] = []
        for attempt in hosts.indices {
            let host = (first + attempt) % hosts.count
            let share = ContinuousClock.now.duration(to: deadline) / (hosts.count - attempt)
            do throws(PostgreSQLError) {
                let connection = try Connection.open(hosts[host], deadline: .now + share)
                state.withLock { $0.opened(host: host) }
                state.notifyAll()
                return connection
            } catch {
                failures.append(hostCount == 1 ? error : error.named("host \(host % hostCount + 1)"))
            }
        }
        let failure = PostgreSQLError.together(failures)
        // Who came to it late says nothing about the database.
        let hadTime = .now < deadline || start.duration(to: deadline) > acquireTimeout / 2
        let isNews = state.withLock { $0.openFailed(hadTime ? failure : nil, now: .now, jitter: .random(in: 0..<1)) }
        state.notifyAll()
        if isNews { notify(.notOpened(failure)) }
        throw failure
    }

    private func giveBack(_ connection: Connection) {
        let isOpen = connection.isReusable()
        let condition: PoolState<Connection>.Condition = !isOpen ? .broken : connection.isReadOnly ? .readOnly : .good
        let closing = state.withLock {
            $0.giveBack(connection, openedAt: connection.openedAt, condition: condition, now: .now)
        }
        _ = closing  // Closed as the last reference goes, outside the lock.
        state.notifyAll()
    }
}
