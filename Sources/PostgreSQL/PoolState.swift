/// What a connection pool knows and decides, without a socket, a lock or a clock.
///
/// A caller takes a ticket, asks ``lease(_:now:)`` until it is told to use or open a connection, and reports with
/// ``opened(host:)``, ``openFailed(_:now:jitter:)``, ``giveBack(_:openedAt:condition:now:)`` or ``discard()``. Waiters
/// are served in the order of their tickets.
///
/// While the database is away one caller at a time tries to connect, with pauses between (``BackOff``). The others
/// wait for what comes of it, or are refused at once where nothing is under way that could bring a connection: a
/// worker thread that waits for a database that is away answers nobody else.
struct PoolState<Connection: Sendable> {
    typealias Instant = ContinuousClock.Instant

    /// A place in the queue.
    struct Ticket: Equatable, Sendable { fileprivate let number: UInt64 }

    /// What whoever asked for a connection should do.
    enum Lease: Sendable {
        /// Take this one.
        case use(Connection)
        /// Open one, beginning with this host, and use it, or report that it failed.
        case open(host: Int)
        /// Ask again after the next change, and at this instant if there is one.
        case wait(until: Instant?)
        /// No session can be opened, for this reason: do without.
        case refuse(PostgreSQLError)
    }

    /// What a connection is worth that comes back.
    enum Condition: Sendable {
        case good
        /// It takes no writes. A new one may, and then those that are idle are as it was.
        case readOnly
        /// It broke or hung, and those to the same server perhaps with it.
        case broken
    }

    private struct Idle {
        let connection: Connection
        let openedAt: Instant
    }

    let capacity: Int
    /// A connection older than this is replaced, so that a changed address or setting takes effect.
    let maximumAge: Duration
    private var idle: [Idle] = []
    private(set) var leased = 0
    /// How many of the leased ones are being opened.
    private var opening = 0
    private var backOff = BackOff()
    /// The host that the last connection was made to: after a failover the others are not asked first each time.
    private var preferredHost = 0
    private var queue: [Ticket] = []
    private var nextNumber: UInt64 = 0
    private(set) var timeouts = 0
    /// Sessions that could not be opened, by cause.
    private(set) var failedOpenings: [DatabaseCause: Int] = [:]
    /// Those opened before are replaced: a setting of theirs has changed.
    private var renewedAt: Instant?

    /// A younger session that takes no writes says that none does.
    private static var leastAgeOfStale: Duration { .seconds(1) }

    init(capacity: Int, maximumAge: Duration) {
        self.capacity = capacity
        self.maximumAge = maximumAge
    }

    var idleCount: Int { idle.count }
    var waiting: Int { queue.count }
    /// Whether there is a connection that may come free, or is being opened and may succeed.
    var hasOthers: Bool { !idle.isEmpty || leased > 0 }

    /// - Parameter first: whether its holder has had its turn already, and comes before the others.
    mutating func takeTicket(first: Bool = false) -> Ticket {
        defer { nextNumber += 1 }
        let ticket = Ticket(number: nextNumber)
        queue.insert(ticket, at: first ? 0 : queue.count)
        return ticket
    }

    /// Decides for the holder of `ticket`, whose turn it is only when all earlier ones have gone.
    mutating func lease(_ ticket: Ticket, now: Instant) -> Lease {
        if idle.isEmpty, leased == 0, let failure = backOff.failure, let next = backOff.nextAttempt, now < next {
            leave(ticket)
            return .refuse(failure)
        }
        guard queue.first == ticket else { return .wait(until: nil) }
        // The latest used first: the others grow old and are replaced.
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

    /// The holder of `ticket` has waited long enough; returns why there is no other connection, where that has a reason.
    @discardableResult
    mutating func giveUp(_ ticket: Ticket) -> PostgreSQLError? {
        leave(ticket)
        timeouts += 1
        return backOff.failure
    }

    private mutating func leave(_ ticket: Ticket) { queue.removeAll { $0 == ticket } }

    /// The connection that was to be opened is there, to this host.
    mutating func opened(host: Int) {
        opening -= 1
        preferredHost = host
        backOff.succeeded()
    }

    /// The connection could not be opened; returns whether that is news.
    ///
    /// - Parameter failure: why, where that says something about the database; nil where the caller had little time left.
    @discardableResult
    mutating func openFailed(_ failure: PostgreSQLError?, now: Instant, jitter: Double) -> Bool {
        opening -= 1
        leased -= 1
        guard let failure else { return false }
        let isNews = backOff.failure?.cause != failure.cause
        backOff.failed(failure, now: now, jitter: jitter)
        failedOpenings[failure.cause, default: 0] += 1
        return isNews
    }

    /// Takes a connection back; returns what is to be closed instead of kept.
    ///
    /// Of one that broke, hung or takes no writes any more, those that are idle are replaced too, before each costs a
    /// request its time.
    mutating func giveBack(
        _ connection: Connection, openedAt: Instant, condition: Condition, now: Instant
    ) -> [Connection] {
        leased -= 1
        switch condition {
        case .broken: return [connection] + takeIdle { _ in true }
        case .readOnly: return [connection] + takeIdle { $0.openedAt + Self.leastAgeOfStale <= now }
        case .good:
            guard !Self.isOld(openedAt, now, maximumAge, renewedAt) else { return [connection] }
            idle.append(Idle(connection: connection, openedAt: openedAt))
            return []
        }
    }

    private static func isOld(_ openedAt: Instant, _ now: Instant, _ maximum: Duration, _ renewedAt: Instant?) -> Bool {
        openedAt.duration(to: now) >= maximum || renewedAt.map { openedAt < $0 } == true
    }

    /// All connections opened until now are replaced, those in use once they come back.
    mutating func renew(now: Instant) -> [Connection] {
        renewedAt = now
        return expire(now: now)
    }

    /// A leased connection is to be closed, and another one opened in its place, beginning with the host returned.
    mutating func replace() -> Int {
        opening += 1
        return preferredHost
    }

    /// Leases a connection that is to be opened beside the idle ones, beginning with the host returned, if there is
    /// room for it and the database is not known to be away.
    mutating func reserve() -> Int? {
        guard leased + idle.count < capacity, queue.isEmpty, !backOff.isActive else { return nil }
        leased += 1
        opening += 1
        return preferredHost
    }

    /// A leased connection has turned out to be closed already.
    mutating func discard() { leased -= 1 }

    /// Takes out the idle connections that have reached their age; the caller closes them.
    mutating func expire(now: Instant) -> [Connection] {
        takeIdle { [maximumAge, renewedAt] in Self.isOld($0.openedAt, now, maximumAge, renewedAt) }
    }

    private mutating func takeIdle(where isUnwanted: (Idle) -> Bool) -> [Connection] {
        let taken = idle.filter(isUnwanted)
        idle.removeAll(where: isUnwanted)
        return taken.map(\.connection)
    }
}
