import FastCGI
import Synchronization
import Threads

/// The requests that use the database, or wait for their turn to.
///
/// There are as many permits as `WORKER_THREADS` says, and one thread more than that, so that one is always left to take
/// requests in and to answer what needs no database: neither a lock nor a slow statement holds `/health` up.
final class WaitingRequests: Sendable {
    /// A request and the connection that waits for its answer.
    // @unchecked: it belongs to one thread at a time, which the queue's lock hands it over to.
    final class Request: @unchecked Sendable {
        let exchange: Exchange
        let pending: Pipeline.Pending
        let isHead: Bool

        init(_ exchange: Exchange, _ pending: Pipeline.Pending, isHead: Bool) {
            self.exchange = exchange
            self.pending = pending
            self.isHead = isHead
        }
    }

    /// What there is at one moment.
    struct Statistics {
        var permits = 0
        var granted = 0
        var waiting = 0
    }

    /// More than nginx opens connections, by its configuration, on a machine of two cores; each takes a few kilobytes.
    private static let capacity = 4096
    /// For callers choose how many kilobytes: the longest take some seventy.
    private static let mostBytes = 64 << 20

    private let queue: Monitor<PermitQueue<Request>>
    // Beside the lock, since every thread looks before each request.
    private let waiting = Atomic<Int>(0)
    private let longestWait: Duration

    /// - Parameter longestWait: how long a request may wait for its turn, from when it was read.
    init(permits: Int, longestWait: Duration) {
        queue = Monitor(PermitQueue(permits: permits, capacity: Self.capacity, mostBytes: Self.mostBytes))
        self.longestWait = longestWait
    }

    var statistics: Statistics {
        queue.withLock { Statistics(permits: $0.permits, granted: $0.granted, waiting: $0.waiting) }
    }

    /// Asks for a permit; of one that waits, another thread has taken over.
    func admit(_ request: Request, started: ContinuousClock.Instant) -> PermitQueue<Request>.Admission {
        let deadline = started + longestWait
        // Nobody reads more of it, and it may wait long: what libfcgi holds of it is many times what is kept.
        if request.pending.isRead { request.exchange.endReading() }
        return queue.withLock { queue in
            defer { waiting.store(queue.waiting, ordering: .relaxed) }
            return queue.admit(request, size: request.pending.size, until: deadline)
        }
    }

    /// The next request for a thread that has a permit; without one the permit has been given back.
    func next() -> Request? {
        queue.withLock { queue in
            defer { waiting.store(queue.waiting, ordering: .relaxed) }
            return queue.next()
        }
    }

    /// Those that have waited too long.
    func takeLate() -> [Request] {
        guard waiting.load(ordering: .relaxed) > 0 else { return [] }
        return queue.withLock { queue in
            defer { waiting.store(queue.waiting, ordering: .relaxed) }
            return queue.takeLate(now: .now)
        }
    }

    /// Lets none wait any more, and returns those that do.
    func close() -> [Request] { queue.withLock { $0.close() } }
}
