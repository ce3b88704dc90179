import Threads

/// Leases, opens, takes back and closes the pool's connections.
extension ConnectionPool {
    /// The result of a caller's turn in the queue.
    private enum Grant {
        case use(Connection)
        case open(host: Int)
    }

    /// Leases a connection.
    ///
    /// - Parameter new: whether to open a new one in the place of an existing one, if that is possible.
    func lease(until deadline: ContinuousClock.Instant, new: Bool = false) throws(PostgreSQLError) -> Connection {
        let began = ContinuousClock.now
        defer { Self.waitingTime.add(began.duration(to: .now)) }
        var (new, hasTried) = (new, false)
        while true {
            switch try awaitGrant(until: deadline, first: hasTried) {
            case .open(let host):
                if let connection = try openUnlessOthersServe(from: host, until: deadline) { return connection }
                hasTried = true
            case .use(let connection) where new:
                let host = state.withLock { $0.replace(now: .now) }
                connection.close()
                if let connection = try openUnlessOthersServe(from: host, until: deadline) { return connection }
                (new, hasTried) = (false, true)
            case .use(let connection):
                guard connection.isStale() else { return connection }
                discard(connection)
            }
        }
    }

    /// Closes a leased connection.
    func discard(_ connection: Connection) {
        connection.close()
        state.withLock { $0.discard(now: .now) }
        state.notifyAll()
    }

    /// Opens a connection. Returns nil if that failed and another connection may become free in time.
    private func openUnlessOthersServe(
        from host: Int, until deadline: ContinuousClock.Instant
    ) throws(PostgreSQLError) -> Connection? {
        do throws(PostgreSQLError) {
            return try open(from: host, until: deadline)
        } catch {
            guard .now < deadline, state.withLock({ $0.mayServe(now: .now) }) else { throw error }
            return nil
        }
    }

    /// Waits for the caller's turn.
    private func awaitGrant(
        until deadline: ContinuousClock.Instant, first: Bool
    ) throws(PostgreSQLError) -> Grant {
        let now = ContinuousClock.now
        let (ticket, expired) = state.withLock { ($0.takeTicket(first: first), $0.expire(now: now)) }
        close(expired)
        // The next caller in the queue has to ask again.
        defer { state.notifyAll() }
        // The pool's state may require the caller to ask again before its deadline.
        var limit = deadline
        while true {
            let lease = state.wait(until: limit) { [limit] state -> PoolState<Connection>.Lease? in
                let lease = state.lease(ticket, now: .now)
                guard case .wait(let instant) = lease else { return lease }
                return (instant ?? deadline) < limit ? lease : nil
            }
            switch lease {
            case .use(let connection): return .use(connection)
            case .open(let host): return .open(host: host)
            case .refuse(let failure): throw failure
            case .wait(let instant?): limit = instant
            case .wait(nil), nil:
                guard limit < deadline else { throw state.withLock { $0.timeOut(ticket) } }
                limit = deadline
            }
        }
    }

    /// Tries one host after another, each for its share of the remaining time.
    ///
    /// So a host that does not respond leaves time for the next one.
    func open(from first: Int, until deadline: ContinuousClock.Instant) throws(PostgreSQLError) -> Connection {
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
        // The failure of a caller that had little time left proves nothing about the database.
        let hadTime = .now < deadline || start.duration(to: deadline) > acquireTimeout / 2
        let isNews = state.withLock { $0.openFailed(hadTime ? failure : nil, now: .now, jitter: .random(in: 0..<1)) }
        state.notifyAll()
        if isNews { notify(.notOpened(failure)) }
        throw failure
    }

    /// Takes a leased connection back, and closes connections that may not be used again.
    func giveBack(_ connection: Connection) {
        let isOpen = connection.isReusable()
        let condition: PoolState<Connection>.Condition = !isOpen ? .broken : connection.isReadOnly ? .readOnly : .good
        let closing = state.withLock {
            $0.giveBack(connection, openedAt: connection.openedAt, condition: condition, now: .now)
        }
        close(closing)
        state.notifyAll()
    }

    /// Closes connections outside the lock, since closing writes to the socket.
    func close(_ connections: [Connection]) {
        for connection in connections { connection.close() }
    }
}
