import CLinux
import Glibc
import Synchronization
import Threads

/// Distributes the requests of all of nginx's connections to worker threads.
///
/// libfcgi's own loop is not used. It binds a thread to a connection for as long as nginx holds the connection open. If
/// every thread has an idle connection, the next request is blocked. Here all workers share one epoll, which watches
/// the listening socket and all connections. A worker reads one request, responds and returns the connection to the
/// epoll. EPOLLONESHOT ensures that only one worker has a connection at a time.
///
/// A worker never waits for a client. nginx sends a typical request in one piece, which libfcgi reads from the socket.
/// If only a part of a request has arrived, that part is stored, and the connection is returned to the epoll until the
/// rest arrives. libfcgi then reads the request from a file in memory. If libfcgi read every request from such a file,
/// a cached response would take a quarter more processor time (measured, paired).
public final class Acceptor: Sendable {
    /// An error that belongs to no request.
    public enum Event: Sendable {
        /// A connection could not be accepted for lack of descriptors or memory. The value is `errno`.
        case acceptFailed(CInt)
    }

    private let listener: Listener
    private let epoll: CInt
    private let observe: @Sendable (Event) -> Void
    private let connections = Atomic<Int>(0)
    /// The instant at which idle connections are closed. Nil until the server stops.
    private let stopDeadline = Monitor<ContinuousClock.Instant?>(nil)
    private let stopping = Atomic<Bool>(false)
    /// Incomplete requests by connection. The worker that removes one owns its connection.
    private let partials = Monitor<[CInt: PartialRequest]>([:])
    private let partialCount = Atomic<Int>(0)
    /// True if the last attempt to accept a connection failed. Only the first failure in a row is reported.
    private let isFailing = Atomic<Bool>(false)

    /// The epoll data of the listening socket.
    private static let listenerMark = UInt64.max
    /// A bit in the epoll data of a connection whose request is incomplete.
    private static let partialMark: UInt64 = 1 << 32
    /// How often an idle worker checks for a stop, in ms.
    private static let wakeInterval: CInt = 250
    /// How long a request may take to arrive, from its first part on.
    private static let receiveTimeout = Duration.seconds(1)
    /// The largest number of incomplete requests, which bounds their memory. nginx sends only long requests in parts.
    private static let mostPartials = 256
    /// How many bytes are examined at first, several times the length of a typical request.
    private static let peeked = 16 * 1024

    /// - Throws: ``ListenError`` if the kernel refuses an epoll.
    public init(
        listener: Listener, observe: @escaping @Sendable (Event) -> Void = { _ in }
    ) throws(ListenError) {
        Library.initialize()
        self.listener = listener
        self.observe = observe
        epoll = epoll_create1(CInt(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw ListenError(description: "epoll_create1: \(String(cString: strerror(errno)))") }
        register(listener.descriptor, mark: Self.listenerMark, operation: EPOLL_CTL_ADD)
    }

    deinit { close(epoll) }

    /// The number of open connections.
    public var openConnections: Int { connections.load(ordering: .relaxed) }

    /// Waits for the next request and reads its parameters.
    ///
    /// - Parameter between: called before each wait, and several times a second while no request arrives.
    /// - Returns: nil after ``stop(grace:)``, once no connection is left or the grace has passed.
    public func accept(between: () -> Void = {}) -> Exchange? {
        while !isDone {
            between()
            if partialCount.load(ordering: .relaxed) > 0 { discardLatePartials(now: .now) }
            var event = epoll_event()
            guard epoll_wait(epoll, &event, 1, Self.wakeInterval) == 1 else { continue }
            if event.data.u64 == Self.listenerMark {
                acceptConnections()
                continue
            }
            let connection = CInt(truncatingIfNeeded: event.data.u64 & 0xFFFF_FFFF)
            let isPartial = event.data.u64 & Self.partialMark != 0
            if let exchange = isPartial ? receiveRest(connection) : receive(connection) { return exchange }
        }
        return nil
    }

    /// Stops accepting connections, and closes each open one after its next response.
    ///
    /// nginx itself closes idle connections after the `keepalive_timeout` of its upstream.
    ///
    /// - Parameter grace: how long the workers wait for the open connections to close.
    public func stop(grace: Duration) {
        stopDeadline.withLock { $0 = .now + grace }
        listener.withdraw()
        // A client that has already connected gets a response.
        acceptConnections()
        listener.refuse()
        acceptConnections()
        // This is set last. A worker ends if it is set and no connection is open, and would miss a later connection.
        stopping.store(true, ordering: .releasing)
    }

    private var isDone: Bool {
        guard stopping.load(ordering: .acquiring) else { return false }
        if connections.load(ordering: .relaxed) == 0 { return true }
        return stopDeadline.withLock { $0.map { .now >= $0 } ?? false }
    }

    private func acceptConnections() {
        while true {
            // The connection does not block, so that libfcgi cannot wait even if the scan of a request has a bug.
            let flags = CInt(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
            let connection = accept4(listener.descriptor, nil, nil, flags)
            if connection >= 0 {
                isFailing.store(false, ordering: .relaxed)
                connections.add(1, ordering: .relaxed)
                register(connection, mark: UInt64(connection), operation: EPOLL_CTL_ADD)
            } else if errno == EAGAIN || errno == EINVAL {
                break  // No connection is waiting, or the socket has been shut down.
            } else if errno != EINTR && errno != ECONNABORTED {
                let code = errno
                if !isFailing.exchange(true, ordering: .relaxed) { observe(.acceptFailed(code)) }
                // The connection stays in the backlog. Without a pause, this would be a busy loop.
                Thread.sleep(.milliseconds(50))
                break
            }
        }
        if !stopping.load(ordering: .acquiring) {
            register(listener.descriptor, mark: Self.listenerMark, operation: EPOLL_CTL_MOD)
        }
    }

    /// Examines the received bytes without consuming them, and has libfcgi read them if they are a complete request.
    private func receive(_ connection: CInt) -> Exchange? {
        var scan = RequestScan()
        let verdict = withUnsafeTemporaryAllocation(byteCount: Self.peeked, alignment: 16) {
            buffer -> RequestScan.Verdict? in
            let count = recv(connection, buffer.baseAddress, buffer.count, CInt(MSG_PEEK | MSG_DONTWAIT))
            if count < 0 && errno == EAGAIN { return nil }
            guard count > 0 else { return .broken }
            let verdict = scan.take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            // nginx sends no further bytes before it has the response.
            if case .complete(let taken) = verdict, taken < count { return .broken }
            return verdict
        }
        switch verdict {
        case nil: giveBack(connection, keep: true)  // A spurious event.
        case .complete:
            if let exchange = Exchange.begin(connection: connection, scan, acceptor: self) { return exchange }
            connectionWasClosed()
        case .incomplete: return receive(PartialRequest(deadline: .now + Self.receiveTimeout), connection)
        case .broken: discard(connection)
        }
        return nil
    }

    private func receiveRest(_ connection: CInt) -> Exchange? {
        let partial = partials.withLock { $0.removeValue(forKey: connection) }
        // Nil if another worker has just discarded the request at its deadline.
        guard let partial else { return nil }
        partialCount.subtract(1, ordering: .relaxed)
        return receive(partial, connection)
    }

    private func receive(_ partial: PartialRequest, _ connection: CInt) -> Exchange? {
        var partial = partial
        switch partial.read(connection) {
        case .complete:
            if let exchange = Exchange.begin(connection: connection, partial, acceptor: self) { return exchange }
            discard(connection)
        case .incomplete: putAside(partial, connection)
        case .broken: discard(connection)
        }
        return nil
    }

    private func putAside(_ partial: PartialRequest, _ connection: CInt) {
        guard partialCount.add(1, ordering: .relaxed).newValue <= Self.mostPartials else {
            partialCount.subtract(1, ordering: .relaxed)
            return discard(connection)
        }
        partials.withLock { $0[connection] = partial }
        register(connection, mark: UInt64(connection) | Self.partialMark, operation: EPOLL_CTL_MOD)
    }

    private func discardLatePartials(now: ContinuousClock.Instant) {
        let late = partials.withLock { partials in
            let late = partials.filter { $0.value.deadline <= now }.map(\.key)
            for connection in late { partials[connection] = nil }
            return late
        }
        partialCount.subtract(late.count, ordering: .relaxed)
        for connection in late { discard(connection) }
    }

    /// True while the server stops. The current request is then the last of its connection.
    var isStopping: Bool { stopping.load(ordering: .acquiring) }

    /// Takes a connection back after the response.
    func giveBack(_ connection: CInt, keep: Bool) {
        if keep {
            register(connection, mark: UInt64(connection), operation: EPOLL_CTL_MOD)
        } else {
            discard(connection)
        }
    }

    /// Counts a connection that libfcgi or ``discard(_:)`` has closed.
    private func connectionWasClosed() { connections.subtract(1, ordering: .relaxed) }

    private func discard(_ connection: CInt) {
        close(connection)
        connectionWasClosed()
    }

    private func register(_ descriptor: CInt, mark: UInt64, operation: CInt) {
        var event = epoll_event()
        event.events = reengagement_EPOLLIN | reengagement_EPOLLRDHUP | reengagement_EPOLLONESHOT
        event.data.u64 = mark
        epoll_ctl(epoll, operation, descriptor, &event)
    }
}
