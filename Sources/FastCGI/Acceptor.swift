import CFastCGI
import Glibc
import Synchronization
import Threads

/// Hands requests to worker threads, from every connection that nginx keeps open.
///
/// Why not libfcgi's own loop: it ties a thread to a connection for as long as nginx keeps that open, so as
/// many idle connections as threads starve the next request. Here the listening socket and all connections
/// sit in one epoll that all workers share; whoever wakes reads one whole request, answers it and puts the
/// connection back. EPOLLONESHOT makes sure that one worker at a time holds a connection.
///
/// No worker ever waits for a client: a request that is there whole, as nginx sends it, is read by libfcgi at
/// once; of any other the first part is put aside, and its connection goes back until the rest comes.
public final class Acceptor: Sendable {
    /// What can go wrong where no request can be told of it.
    public enum Event: Sendable {
        /// No descriptor or memory for another connection; the value is `errno`.
        case acceptFailed(CInt)
    }

    private let listener: Listener
    private let epoll: CInt
    private let observe: @Sendable (Event) -> Void
    private let connections = Atomic<Int>(0)
    /// When idle connections are given up; nil while serving.
    private let stopDeadline = Monitor<ContinuousClock.Instant?>(nil)
    private let stopping = Atomic<Bool>(false)
    /// Requests of which a part has come, by their connections; whoever takes one out has its connection.
    private let partials = Monitor<[CInt: PartialRequest]>([:])
    private let partialCount = Atomic<Int>(0)
    /// Whether the last attempt to accept a connection failed, which is told once.
    private let isFailing = Atomic<Bool>(false)

    /// The mark of the listening socket among the epoll's events.
    private static let listenerMark = UInt64.max
    /// Set in the mark of a connection on which a part of a request has come.
    private static let partialMark: UInt64 = 1 << 32
    /// How soon an idle worker sees that it should stop.
    private static let wakeInterval: CInt = 250
    /// How long a request may take from its first byte to its last.
    private static let receiveTimeout = Duration.seconds(1)
    /// Requests in parts at most, which bounds their memory; nginx sends a request in one piece, unless it is long.
    private static let mostPartials = 256
    /// Far more than a usual request.
    private static let peeked = 16 * 1024

    /// - Throws: ``ListenError`` where the kernel refuses an epoll.
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

    /// The connections that are open now.
    public var openConnections: Int { connections.load(ordering: .relaxed) }

    /// Waits for the next request and reads its parameters; nil once stopped and no connection is left.
    ///
    /// - Parameter between: called before each look for a request, several times a second where none comes.
    public func accept(between: () -> Void = {}) -> Exchange? {
        while !isDone {
            between()
            if partialCount.load(ordering: .relaxed) > 0 { giveUpLatePartials(now: .now) }
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

    /// Accepts no new connection; kept ones are answered once more and closed, for at most `grace`.
    ///
    /// nginx closes its idle connections itself within its upstream `keepalive_timeout`; those that remain
    /// after `grace` are closed under it.
    public func stop(grace: Duration) {
        stopDeadline.withLock { $0 = .now + grace }
        listener.withdraw()
        // Whoever has connected already has been promised an answer.
        acceptConnections()
        listener.refuse()
        acceptConnections()
        // Not before: a worker that saw no connection would leave, and one accepted after that would have nobody.
        stopping.store(true, ordering: .releasing)
    }

    private var isDone: Bool {
        guard stopping.load(ordering: .acquiring) else { return false }
        if connections.load(ordering: .relaxed) == 0 { return true }
        return stopDeadline.withLock { $0.map { .now >= $0 } ?? false }
    }

    private func acceptConnections() {
        while true {
            // Non-blocking: libfcgi must not wait, whatever the scan of a request may have missed.
            let flags = CInt(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
            let connection = accept4(listener.descriptor, nil, nil, flags)
            if connection >= 0 {
                isFailing.store(false, ordering: .relaxed)
                connections.add(1, ordering: .relaxed)
                register(connection, mark: UInt64(connection), operation: EPOLL_CTL_ADD)
            } else if errno == EAGAIN || errno == EINVAL {
                break  // None waits, or the socket has been shut down.
            } else if errno != EINTR && errno != ECONNABORTED {
                let code = errno
                if !isFailing.exchange(true, ordering: .relaxed) { observe(.acceptFailed(code)) }
                // The connection stays in the backlog: without a pause this would spin.
                Thread.sleep(.milliseconds(50))
                break
            }
        }
        if !stopping.load(ordering: .acquiring) {
            register(listener.descriptor, mark: Self.listenerMark, operation: EPOLL_CTL_MOD)
        }
    }

    /// Looks at what has come without taking it: if it is a whole request, libfcgi takes it from there.
    private func receive(_ connection: CInt) -> Exchange? {
        var scan = RequestScan()
        let verdict = withUnsafeTemporaryAllocation(byteCount: Self.peeked, alignment: 16) {
            buffer -> RequestScan.Verdict? in
            let count = recv(connection, buffer.baseAddress, buffer.count, CInt(MSG_PEEK | MSG_DONTWAIT))
            if count < 0 && errno == EAGAIN { return nil }
            guard count > 0 else { return .broken }
            let verdict = scan.take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            // Nothing follows a request before its answer.
            if case .complete(let taken) = verdict, taken < count { return .broken }
            return verdict
        }
        switch verdict {
        case nil: giveBack(connection, keep: true)  // Woken for nothing.
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
        // Without one it was given up just now.
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

    private func giveUpLatePartials(now: ContinuousClock.Instant) {
        let late = partials.withLock { partials in
            let late = partials.filter { $0.value.deadline <= now }.map(\.key)
            for connection in late { partials[connection] = nil }
            return late
        }
        partialCount.subtract(late.count, ordering: .relaxed)
        for connection in late { discard(connection) }
    }

    /// Whether a request that is read now is its connection's last.
    var isStopping: Bool { stopping.load(ordering: .acquiring) }

    /// Takes a connection back after its request was answered.
    func giveBack(_ connection: CInt, keep: Bool) {
        if keep {
            register(connection, mark: UInt64(connection), operation: EPOLL_CTL_MOD)
        } else {
            discard(connection)
        }
    }

    /// Counts a connection out that libfcgi or ``discard(_:)`` has closed.
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
