import Threads

/// The decisions of a connection pool, without a socket, a lock or a clock.
///
/// A connection is in one of three states, and the pool closes it when it leaves them:
///
/// - *opening*: a caller connects. → leased by ``opened(host:)``, → removed by ``openFailed(_:now:jitter:)``.
/// - *leased*: a caller uses it. → idle or closed by ``giveBack(_:openedAt:condition:now:)``, → closed by
///   ``discard(now:)``, → closed by ``replace(now:)``, with another one opening in its place.
/// - *idle*: it waits for a caller. → leased by ``lease(_:now:)``, → closed by ``expire(now:)`` or ``renew(now:)``,
///   → closed when another connection to the same server is given back broken.
///
/// A caller takes a ticket and calls ``lease(_:now:)`` until it may use or open a connection, or it leaves the queue by
/// ``timeOut(_:)``. Tickets are served in order.
///
/// While the database is unreachable, one caller at a time tries to connect, with pauses between the attempts
/// (``BackOff``). The others wait for its result. If no connection is in use or being opened, they are refused at once,
/// since a worker thread that waits for an unreachable database serves no other request.
struct PoolState<Connection: Sendable> {
    typealias Instant = ContinuousClock.Instant

    /// A place in the queue.
    struct Ticket: Equatable, Sendable { fileprivate let number: UInt64 }

    /// The next step of a ticket's holder.
    enum Lease: Sendable {
        /// Use this idle connection, which is leased now.
        case use(Connection)
        /// Open a connection, beginning with this host, and report the result. The connection is opening now.
        case open(host: Int)
        /// Ask again after the next change, and at this instant if there is one. The ticket stays in the queue.
        case wait(until: Instant?)
        /// No session can be opened, for this reason. The ticket has left the queue.
        case refuse(PostgreSQLError)
    }

    /// The condition of a connection that is given back.
    enum Condition: Sendable {
        case good
        /// It accepts no writes. A new one may, and then the idle ones are no better than this one.
        case readOnly
        /// It broke or hung, and the idle ones to the same server may have broken too.
        case broken
    }

    private struct Idle {
        let connection: Connection
        let openedAt: Instant
    }

    let capacity: Int
    /// The age at which a connection is replaced, so that a changed address or setting takes effect.
    let maximumAge: Duration
    private var idle: [Idle] = []
    private(set) var leased = 0
    /// The number of leased connections that are still opening.
    private var opening = 0
    /// The pauses between attempts to connect.
    ///
    /// The longest is half of the second within which full service must resume once the database is back.
    private var backOff = BackOff(first: .milliseconds(50), longest: .milliseconds(500))
    /// The reason why the last connection could not be opened. Nil after a success.
    private var failure: PostgreSQLError?
    /// The host of the last connection, so that after a failover the other hosts are not tried first each time.
    private var preferredHost = 0
    private var queue: [Ticket] = []
    private var nextNumber: UInt64 = 0
    private(set) var timeouts = 0
    /// The number of sessions that could not be opened, by cause.
    private(set) var failedOpenings: [DatabaseCause: Int] = [:]
    /// Connections opened before this instant are replaced, since one of their settings has changed.
    private var renewedAt: Instant?
    /// When the pool last closed a connection.
    private var closedAt: Instant?

    /// The least age of the idle connections that are closed after a session refused a write.
    ///
    /// A younger one would only be replaced by another one that accepts no writes.
    private static var leastAgeOfStale: Duration { .seconds(1) }

    init(capacity: Int, maximumAge: Duration) {
        self.capacity = capacity
        self.maximumAge = maximumAge
    }

    var idleCount: Int { idle.count }
    var waiting: Int { queue.count }
    /// True if a connection may become free or be opened soon.
    func mayServe(now: Instant) -> Bool { !idle.isEmpty || leased > 0 || isLimitedByOwnSessions(now) }

    /// True if sessions that the pool has just closed may still count towards a limit of connections.
    ///
    /// PostgreSQL counts a closed connection until its process has ended. So a limit that is reached right after the
    /// pool has closed some does not predict the result of the next attempt.
    private func isLimitedByOwnSessions(_ now: Instant) -> Bool {
        guard failure?.cause == .connectionLimit, let closedAt else { return false }
        return closedAt.duration(to: now) < .seconds(1)
    }

    /// - Parameter first: whether the holder has already had its turn, and is therefore served before the others.
    mutating func takeTicket(first: Bool = false) -> Ticket {
        defer { nextNumber += 1 }
        let ticket = Ticket(number: nextNumber)
        queue.insert(ticket, at: first ? 0 : queue.count)
        return ticket
    }

    /// Decides for the holder of `ticket`, who is served only after all earlier tickets have left the queue.
    mutating func lease(_ ticket: Ticket, now: Instant) -> Lease {
        if let failure, backOff.isWaiting(now), !mayServe(now: now) {
            leave(ticket)
            return .refuse(failure)
        }
        guard queue.first == ticket else { return .wait(until: nil) }
        // The last used connection is leased first, so that the others reach their age and are replaced.
        if let next = idle.popLast() {
            queue.removeFirst()
            leased += 1
            return .use(next.connection)
        }
        guard leased < capacity else { return .wait(until: nil) }
        if backOff.isActive {
            guard opening == 0 else { return .wait(until: nil) }
            if let next = backOff.nextAttempt, now < next { return .wait(until: next) }
        }
        queue.removeFirst()
        leased += 1
        opening += 1
        return .open(host: preferredHost)
    }

    /// Removes a ticket whose deadline has passed, and returns the reason for the timeout.
    @discardableResult
    mutating func timeOut(_ ticket: Ticket) -> PostgreSQLError {
        leave(ticket)
        timeouts += 1
        return failure ?? .acquireTimeout
    }

    private mutating func leave(_ ticket: Ticket) { queue.removeAll { $0 == ticket } }

    /// Records that a connection to this host has been opened and is leased now.
    mutating func opened(host: Int) {
        opening -= 1
        preferredHost = host
        backOff.succeeded()
        failure = nil
    }

    /// Records that a connection could not be opened. Returns true if the cause differs from that of the last failure.
    ///
    /// - Parameter error: the reason. Nil if the caller had so little time left that it proves nothing about the
    ///   database.
    @discardableResult
    mutating func openFailed(_ error: PostgreSQLError?, now: Instant, jitter: Double) -> Bool {
        opening -= 1
        leased -= 1
        guard let error else { return false }
        defer { failure = error }
        backOff.failed(now: now, jitter: jitter)
        failedOpenings[error.cause, default: 0] += 1
        return failure?.cause != error.cause
    }

    /// Takes a leased connection back, and returns the connections to close.
    ///
    /// If it broke, hung or accepts no writes, the idle ones are closed too, before each of them delays a request.
    mutating func giveBack(
        _ connection: Connection, openedAt: Instant, condition: Condition, now: Instant
    ) -> [Connection] {
        leased -= 1
        if condition == .good, !Self.isOld(openedAt, now, maximumAge, renewedAt) {
            idle.append(Idle(connection: connection, openedAt: openedAt))
            return []
        }
        closedAt = now
        return switch condition {
        case .broken: [connection] + takeIdle(now: now) { _ in true }
        case .readOnly: [connection] + takeIdle(now: now) { $0.openedAt + Self.leastAgeOfStale <= now }
        case .good: [connection]
        }
    }

    private static func isOld(_ openedAt: Instant, _ now: Instant, _ maximum: Duration, _ renewedAt: Instant?) -> Bool {
        openedAt.duration(to: now) >= maximum || renewedAt.map { openedAt < $0 } == true
    }

    /// Replaces all connections opened until now, leased ones once they are given back. Returns those to close.
    mutating func renew(now: Instant) -> [Connection] {
        renewedAt = now
        return expire(now: now)
    }

    /// Records that the caller closes a leased connection and opens another one in its place.
    ///
    /// - Returns: the host to try first.
    mutating func replace(now: Instant) -> Int {
        closedAt = now
        opening += 1
        return preferredHost
    }

    /// Reserves room for one more connection.
    ///
    /// - Returns: the host to try first. Nil if there is no room or the last attempt to connect failed.
    mutating func reserve() -> Int? {
        guard leased + idle.count < capacity, queue.isEmpty, !backOff.isActive else { return nil }
        leased += 1
        opening += 1
        return preferredHost
    }

    /// Records that the caller closes a leased connection.
    mutating func discard(now: Instant) {
        closedAt = now
        leased -= 1
    }

    /// Removes the idle connections that have reached their age. The caller closes them.
    mutating func expire(now: Instant) -> [Connection] {
        takeIdle(now: now) { [maximumAge, renewedAt] in Self.isOld($0.openedAt, now, maximumAge, renewedAt) }
    }

    private mutating func takeIdle(now: Instant, where isUnwanted: (Idle) -> Bool) -> [Connection] {
        let taken = idle.filter(isUnwanted)
        idle.removeAll(where: isUnwanted)
        if !taken.isEmpty { closedAt = now }
        return taken.map(\.connection)
    }
}
