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

    /// The mark of the listening socket among the epoll's events.
    private static let listenerMark = UInt64.max
    /// How soon an idle worker sees that it should stop.
    private static let wakeInterval: CInt = 250
    /// How long a half-sent record, or a peer that does not read, may hold a worker.
    private static let receiveTimeout = 1
    private static let sendTimeout = 5

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
    public func accept() -> Exchange? {
        while !isDone {
            var event = epoll_event()
            guard epoll_wait(epoll, &event, 1, Self.wakeInterval) == 1 else { continue }
            if event.data.u64 == Self.listenerMark {
                acceptConnections()
                continue
            }
            if let exchange = receive(CInt(event.data.u64)) { return exchange }
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
            let connection = accept4(listener.descriptor, nil, nil, CInt(SOCK_CLOEXEC.rawValue))
            if connection >= 0 {
                setTimeouts(connection)
                connections.add(1, ordering: .relaxed)
                register(connection, mark: UInt64(connection), operation: EPOLL_CTL_ADD)
            } else if errno == EAGAIN || errno == EINVAL {
                break  // None waits, or the socket has been shut down.
            } else if errno != EINTR && errno != ECONNABORTED {
                observe(.acceptFailed(errno))
                // The connection stays in the backlog: without a pause this would spin.
                Thread.sleep(.milliseconds(50))
                break
            }
        }
        if !stopping.load(ordering: .acquiring) {
            register(listener.descriptor, mark: Self.listenerMark, operation: EPOLL_CTL_MOD)
        }
    }

    private func receive(_ connection: CInt) -> Exchange? {
        guard beginsRequest(connection) else {
            discard(connection)
            return nil
        }
        guard let exchange = Exchange.begin(connection: connection, acceptor: self) else {
            connectionWasClosed()
            return nil
        }
        return exchange
    }

    /// Whether the next record starts a request, as every one of nginx's does.
    ///
    /// libfcgi 2.4.2 overflows a stack buffer on an FCGI_GET_VALUES record with repeated names, so that no
    /// management record may reach it.
    private func beginsRequest(_ connection: CInt) -> Bool {
        var header: (version: UInt8, type: UInt8) = (0, 0)
        let count = recv(connection, &header, 2, CInt(MSG_PEEK | MSG_DONTWAIT))
        return count >= 1 && header.version == UInt8(FCGI_VERSION_1)
            && (count == 1 || header.type == UInt8(FCGI_BEGIN_REQUEST))
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
    func connectionWasClosed() { connections.subtract(1, ordering: .relaxed) }

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

    private func setTimeouts(_ connection: CInt) {
        var receive = timeval(tv_sec: Self.receiveTimeout, tv_usec: 0)
        var send = timeval(tv_sec: Self.sendTimeout, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &receive, size)
        setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &send, size)
    }
}

/// libfcgi's process-wide state.
enum Library {
    static func initialize() { _ = once }

    private static let once: Void = {
        // How long libfcgi waits for the other end when it closes a connection, in ms; its default is 2 s of a worker.
        setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "50", 0)
        FCGX_Init()
        // FCGX_Init installs handlers of its own; a write to a closed connection is reported by its errno,
        // and how to stop is the application's to decide.
        signal(SIGPIPE, SIG_IGN)
        signal(SIGTERM, SIG_DFL)
        signal(SIGUSR1, SIG_DFL)
    }()
}
