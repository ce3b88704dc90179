/// What a connection pool knows and decides, without a socket, a lock or a clock.
///
/// A caller takes a ticket, asks ``lease(_:)`` until it is told to use or open a connection, and reports
/// with ``giveBack(_:openedAt:reusable:now:)`` or ``discard()``. Waiters are served in the order of their tickets.
struct PoolState<Connection: Sendable> {
    /// A place in the queue.
    struct Ticket: Equatable, Sendable { fileprivate let number: UInt64 }

    /// What whoever asked for a connection should do.
    enum Lease: Sendable {
        /// Take this one.
        case use(Connection)
        /// Open one and use it, or report ``PoolState/discard()``.
        case open
        /// Ask again after the next change.
        case wait
    }

    private struct Idle {
        let connection: Connection
        let openedAt: ContinuousClock.Instant
    }

    let capacity: Int
    /// A connection older than this is replaced, so that a changed address or setting takes effect.
    let maximumAge: Duration
    private var idle: [Idle] = []
    private(set) var leased = 0
    private var queue: [Ticket] = []
    private var nextNumber: UInt64 = 0
    private(set) var timeouts = 0

    init(capacity: Int, maximumAge: Duration) {
        self.capacity = capacity
        self.maximumAge = maximumAge
    }

    var idleCount: Int { idle.count }
    var waiting: Int { queue.count }

    mutating func takeTicket() -> Ticket {
        defer { nextNumber += 1 }
        let ticket = Ticket(number: nextNumber)
        queue.append(ticket)
        return ticket
    }

    /// Decides for the holder of `ticket`, whose turn it is only when all earlier ones have gone.
    mutating func lease(_ ticket: Ticket) -> Lease {
        guard queue.first == ticket else { return .wait }
        // The latest used first: the others grow old and are replaced.
        if let next = idle.popLast() {
            queue.removeFirst()
            leased += 1
            return .use(next.connection)
        }
        guard leased < capacity else { return .wait }
        queue.removeFirst()
        leased += 1
        return .open
    }

    /// The holder of `ticket` has waited long enough.
    mutating func giveUp(_ ticket: Ticket) {
        queue.removeAll { $0 == ticket }
        timeouts += 1
    }

    /// Takes a connection back; returns it where it is to be closed instead of kept.
    mutating func giveBack(
        _ connection: Connection, openedAt: ContinuousClock.Instant, reusable: Bool, now: ContinuousClock.Instant
    ) -> Connection? {
        leased -= 1
        guard reusable, openedAt.duration(to: now) < maximumAge else { return connection }
        idle.append(Idle(connection: connection, openedAt: openedAt))
        return nil
    }

    /// A leased connection is gone: it could not be opened or has been closed.
    mutating func discard() { leased -= 1 }

    /// Takes out the idle connections that have reached their age; the caller closes them.
    mutating func expire(now: ContinuousClock.Instant) -> [Connection] {
        let old = idle.filter { $0.openedAt.duration(to: now) >= maximumAge }
        idle.removeAll { $0.openedAt.duration(to: now) >= maximumAge }
        return old.map(\.connection)
    }
}
