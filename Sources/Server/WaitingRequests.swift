import FastCGI
import Synchronization
import Threads

/// The requests that use the database, or wait for their turn to.
///
/// There are as many permits as `WORKER_THREADS`, and one thread more. So one thread is always free to read requests
/// and to answer those that need no database, such as `/health`, while locks or slow statements delay the others.
final class WaitingRequests: Sendable {
    /// A request and the connection for its response.
    // @unchecked: it belongs to one thread at a time, and passes from one to the next under the queue's lock.
    final class Entry: @unchecked Sendable {
        let exchange: Exchange
        let pending: Pipeline.Pending
        let isHead: Bool

        init(_ exchange: Exchange, _ pending: Pipeline.Pending, isHead: Bool) {
            self.exchange = exchange
            self.pending = pending
            self.isHead = isHead
        }
    }

    /// The state at one moment.
    struct Statistics {
        var permits = 0
        var granted = 0
        var waiting = 0
    }

    /// More connections than nginx opens, by its configuration, on a machine of two cores. Each takes a few kilobytes.
    private static let capacity = 4096
    /// Clients decide how many kilobytes a request takes, up to some seventy.
    private static let mostBytes = 64 << 20

    private let queue: Monitor<AdmissionQueue<Entry>>
    // Outside the lock, since every thread reads it before each request.
    private let waiting = Atomic<Int>(0)
    private let longestWait: Duration

    /// - Parameter longestWait: how long a request may wait for its turn, from when it was read.
    init(permits: Int, longestWait: Duration) {
        queue = Monitor(AdmissionQueue(permits: permits, capacity: Self.capacity, mostBytes: Self.mostBytes))
        self.longestWait = longestWait
    }

    var statistics: Statistics {
        queue.withLock { Statistics(permits: $0.permits, granted: $0.granted, waiting: $0.waiting) }
    }

    /// Asks for a permit. A request that waits belongs to another thread afterwards.
    func admit(_ request: Entry, started: ContinuousClock.Instant) -> AdmissionQueue<Entry>.Admission {
        let deadline = started + longestWait
        // The rest of it is not read, and it may wait long: libfcgi's buffers are many times its size.
        if request.pending.isRead { request.exchange.endReading() }
        return queue.withLock { queue in
            defer { waiting.store(queue.waiting, ordering: .relaxed) }
            return queue.admit(request, size: request.pending.size, until: deadline)
        }
    }

    /// The next request for a thread with a permit; without one the permit has been returned.
    func next() -> Entry? {
        queue.withLock { queue in
            defer { waiting.store(queue.waiting, ordering: .relaxed) }
            return queue.next()
        }
    }

    /// The requests that have waited too long.
    func takeLate() -> [Entry] {
        guard waiting.load(ordering: .relaxed) > 0 else { return [] }
        return queue.withLock { queue in
            defer { waiting.store(queue.waiting, ordering: .relaxed) }
            return queue.takeLate(now: .now)
        }
    }

    /// Lets no request wait from now on, and returns those that do.
    func close() -> [Entry] { queue.withLock { $0.close() } }
}
