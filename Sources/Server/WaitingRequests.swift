import FastCGI
import Synchronization
import Threads

/// The requests that use the database or wait for a permit to use it.
///
/// There are `WORKER_THREADS` permits and one thread more. So one thread is always free to read requests and to handle
/// those without a query, such as `/health`, while locks or slow statements delay the others.
final class WaitingRequests: Sendable {
    /// A request and the connection for its response.
    // @unchecked: it belongs to one thread at a time, and is passed to the next under the queue's lock.
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

    /// The numbers of permits and requests at one moment.
    struct Statistics {
        var permits = 0
        var granted = 0
        var waiting = 0
    }

    /// The maximum number of waiting requests. nginx's configuration opens fewer connections on two processors. Each
    /// takes a few kilobytes.
    private static let capacity = 4096
    /// The maximum memory of waiting requests in bytes. A client can make a request take up to about 70 KB.
    private static let mostBytes = 64 << 20

    private let queue: Monitor<AdmissionQueue<Entry>>
    // Outside the lock, because every thread reads it before each request.
    private let waiting = Atomic<Int>(0)
    private let longestWait: Duration

    /// - Parameter longestWait: the maximum wait for a permit, from the time the request was read.
    init(permits: Int, longestWait: Duration) {
        queue = Monitor(AdmissionQueue(permits: permits, capacity: Self.capacity, mostBytes: Self.mostBytes))
        self.longestWait = longestWait
    }

    var statistics: Statistics {
        queue.withLock { Statistics(permits: $0.permits, granted: $0.granted, waiting: $0.waiting) }
    }

    /// Requests a permit. A request that waits belongs to another thread afterwards.
    func admit(_ request: Entry, started: ContinuousClock.Instant) -> AdmissionQueue<Entry>.Admission {
        let deadline = started + longestWait
        // The request may wait long, and libfcgi's buffers take many times its size. They are freed if no more of the
        // request has to be read.
        if request.pending.isRead { request.exchange.endReading() }
        return queue.withLock { queue in
            defer { waiting.store(queue.waiting, ordering: .relaxed) }
            return queue.admit(request, size: request.pending.size, until: deadline)
        }
    }

    /// The next request for the caller's permit. Nil if none waits, and the permit has been returned.
    func next() -> Entry? {
        queue.withLock { queue in
            defer { waiting.store(queue.waiting, ordering: .relaxed) }
            return queue.next()
        }
    }

    /// Removes and returns the requests that have waited too long.
    func takeLate() -> [Entry] {
        guard waiting.load(ordering: .relaxed) > 0 else { return [] }
        return queue.withLock { queue in
            defer { waiting.store(queue.waiting, ordering: .relaxed) }
            return queue.takeLate(now: .now)
        }
    }

    /// Closes the queue for new requests, and returns the waiting ones.
    func close() -> [Entry] { queue.withLock { $0.close() } }
}
