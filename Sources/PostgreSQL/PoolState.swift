import Threads

/// The decisions of a connection pool, without a socket, a lock or a clock.
///
/// A connection is in one of three states, and the pool closes it when it leaves them:
///
/// - *opening*: a caller connects. → leased by ``opened(host:)``, → gone by ``openFailed(_:now:jitter:)``.
/// - *leased*: a caller uses it. → idle or closed by ``giveBack(_:openedAt:condition:now:)``, → closed by
///   ``discard()``, → closed with another one opening in its place by ``replace()``.
/// - *idle*: it waits for a caller. → leased by ``lease(_:now:)``, → closed by ``expire(now:)``, ``renew(now:)``, or a
///   connection to the same server that is given back broken.
///
/// A caller takes a ticket and asks ``lease(_:now:)`` until it is told to use or to open a connection, or leaves the
/// queue by ``timeOut(_:)``. Tickets are served in order.
///
/// While the database is away one caller at a time tries to connect, with pauses between (``BackOff``). The others wait
/// for its result, or are refused at once where no connection is in use or being opened, since a worker thread that
/// waits for a database that is away serves no other request.
struct PoolState<Connection: Sendable> {
    typealias Instant = ContinuousClock.Instant

    /// A place in the queue.
    struct Ticket: Equatable, Sendable { fileprivate let number: UInt64 }

    /// The next step of a ticket's holder.
    enum Lease: Sendable {
        /// Use this idle connection, which is leased now.
        case use(Connection)
        /// Open a connection, beginning with this host, and report the result. It is opening now.
        case open(host: Int)
        /// Ask again after the next change, and at this instant if there is one. The ticket stays in the queue.
        case wait(until: Instant?)
        /// No session can be opened, for this reason. The ticket has left the queue.
        case refuse(PostgreSQLError)
    }

    /// The condition of a connection that is given back.
    enum Condition: Sendable {
        case good
        /// It takes no writes. A new one may, and then the idle ones are no better than this.
        case readOnly
        /// It broke or hung, and the idle ones to the same server may have too.
        case broken
    }

    private struct Idle {
        let connection: Connection
        let openedAt: Instant
    }

    let capacity: Int
    /// An older connection is replaced, so that a changed address or setting takes effect.
    let maximumAge: Duration
    private var idle: [Idle] = []
    private(set) var leased = 0
    /// How many of the leased ones are still opening.
    private var opening = 0
    /// The longest pause is half of the second within which service has to be full again once the database is back.
    private var backOff = BackOff(first: .milliseconds(50), longest: .milliseconds(500))
    /// Why the last connection could not be opened; nil once one was.
    private var failure: PostgreSQLError?
    /// The host of the last connection, so that after a failover the others are not tried first each time.
    private var preferredHost = 0
    private var queue: [Ticket] = []
    private var nextNumber: UInt64 = 0
    private(set) var timeouts = 0
    /// Sessions that could not be opened, by cause.
    private(set) var failedOpenings: [DatabaseCause: Int] = [:]
    /// Connections opened before this are replaced, since a setting of theirs has changed.
    private var renewedAt: Instant?
    /// The time at which the pool last closed a connection.
    private var closedAt: Instant?

    /// A younger session that takes no writes shows that new ones do not either.
    private static var leastAgeOfStale: Duration { .seconds(1) }

    init(capacity: Int, maximumAge: Duration) {
        self.capacity = capacity
        self.maximumAge = maximumAge
    }

    var idleCount: Int { idle.count }
    var waiting: Int { queue.count }
    /// Whether a connection may become free, or be opened soon.
    func mayServe(now: Instant) -> Bool { !idle.isEmpty || leased > 0 || isLimitedByOwnSessions(now) }

    /// PostgreSQL counts a closed connection until its process has ended. So a limit that is reached right after the
    /// pool has closed some says nothing about the next attempt.
    private func isLimitedByOwnSessions(_ now: Instant) -> Bool {
        guard failure?.cause == .connectionLimit, let closedAt else { return false }
        return closedAt.duration(to: now) < .seconds(1)
    }

    /// - Parameter first: whether its holder has had its turn already and is served before the others.
    mutating func takeTicket(first: Bool = false) -> Ticket {
        defer { nextNumber += 1 }
        let ticket = Ticket(number: nextNumber)
        queue.insert(ticket, at: first ? 0 : queue.count)
        return ticket
    }

    /// Decides for the holder of `ticket`, who is served only when all earlier tickets have left the queue.
    mutating func lease(_ ticket: Ticket, now: Instant) -> Lease {
        if let failure, backOff.isWaiting(now), !mayServe(now: now) {
            leave(ticket)
            return .refuse(failure)
        }
        guard queue.first == ticket else { return .wait(until: nil) }
        // The latest used first, so that the others reach their age and are replaced.
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

    /// The deadline of the holder of `ticket` has passed; returns the reason.
    @discardableResult
    mutating func timeOut(_ ticket: Ticket) -> PostgreSQLError {
        leave(ticket)
        timeouts += 1
        return failure ?? .acquireTimeout
    }

    private mutating func leave(_ ticket: Ticket) { queue.removeAll { $0 == ticket } }

    /// A connection to this host has been opened, and is leased now.
    mutating func opened(host: Int) {
        opening -= 1
        preferredHost = host
        backOff.succeeded()
        failure = nil
    }

    /// A connection could not be opened; returns whether for another cause than the last.
    ///
    /// - Parameter error: why; nil where the caller had so little time left that it proves nothing about the database.
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

    /// Takes a leased connection back; returns the connections to close.
    ///
    /// If it broke, hung or takes no more writes, the idle ones are closed too, before each of them delays a request.
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

    /// Replaces all connections opened until now, leased ones once they are given back; returns those to close.
    mutating func renew(now: Instant) -> [Connection] {
        renewedAt = now
        return expire(now: now)
    }

    /// The caller closes a leased connection and opens another one in its place, beginning with the host returned.
    mutating func replace(now: Instant) -> Int {
        closedAt = now
        opening += 1
        return preferredHost
    }

    /// Reserves room for a connection that is opened in addition to the idle ones, beginning with the host returned.
    ///
    /// - Returns: nil where there is no room or the last attempt to connect failed.
    mutating func reserve() -> Int? {
        guard leased + idle.count < capacity, queue.isEmpty, !backOff.isActive else { return nil }
        leased += 1
        opening += 1
        return preferredHost
    }

    /// The caller closes a leased connection.
    mutating func discard(now: Instant) {
        closedAt = now
        leased -= 1
    }

    /// Removes the idle connections that have reached their age; the caller closes them.
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
