public import FastCGI
import NIOCore
import NIOHTTP1
import NIOPosix
import Threads

/// The live streams: their listener, their event loop, and the threads beside it.
///
/// One event loop holds all connections, and never waits. A few threads open streams and verify tokens, and one asks the
/// database for news.
public final class LiveServer: Sendable {
    private let listener: Listener
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let source: StreamSource
    private let pool = BlockingPool()
    private let counters: StreamCounters
    private let loop: StreamLoop
    private let poller: Poller
    private let channel = Monitor<(any Channel)?>(nil)

    /// Each waits for one connection to the database at a time.
    private static let threads = 2
    /// How long connections are accepted after the socket has been withdrawn.
    private static let acceptance = Duration.milliseconds(100)
    /// A stream with more unsent bytes is not writable.
    private static let waterMark = ChannelOptions.Types.WriteBufferWaterMark(
        low: Stream.mostUnsentInReplay, high: Stream.mostUnsent)
    /// The kernel's buffer of a connection. Linux doubles it for its own records. What it holds does not count as unsent.
    private static let sendBuffer: SocketOptionValue = 32 * 1024

    /// - Parameter counters: receives the counts, for the metrics.
    public init(listener: Listener, source: StreamSource, counters: StreamCounters) {
        (self.listener, self.source, self.counters) = (listener, source, counters)
        let eventLoop = group.next()
        let wake = WakeUp()
        loop = StreamLoop(
            eventLoop: eventLoop, source: source, pool: pool, counters: counters, wakePoller: { wake() })
        poller = Poller(loop: loop, eventLoop: eventLoop, source: source, wake: wake)
    }

    /// Starts the threads and accepts connections.
    public func start() throws {
        try pool.start(threads: Self.threads)
        try poller.start()
        let descriptor = try listener.duplicate()
        let channel = try bootstrap().withBoundSocket(descriptor).wait()
        self.channel.withLock { $0 = channel }
        group.next().scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { [loop] _ in loop.tick() }
    }

    /// Accepts no more connections, sends all streams their last message, and closes them.
    ///
    /// It returns once all connections are closed, at the deadline at the latest.
    public func stop(by deadline: ContinuousClock.Instant) {
        listener.withdraw()
        poller.stop()
        // Clients that have already connected are accepted, and get their last message.
        Thread.sleep(Self.acceptance)
        let channel = channel.withLock { $0 }
        loop.execute { loop in
            channel?.close(promise: nil)
            loop.stop()
        }
        waitForConnections(deadline)
        listener.refuse()
        loop.execute { $0.closeAll() }
        pool.stop()
        _ = pool.waitUntilDone(deadline)
        _ = poller.waitUntilEnded(deadline)
        // The loop's own thread ends with the process if this fails.
        group.shutdownGracefully { _ in }
    }

    private func waitForConnections(_ deadline: ContinuousClock.Instant) {
        while .now < deadline {
            let left = Monitor<Int?>(nil)
            loop.execute { loop in
                left.withLock { $0 = loop.connections }
                left.notifyAll()
            }
            if left.wait(until: deadline, { $0 }) == 0 { return }
            Thread.sleep(.milliseconds(20))
        }
    }

    private func bootstrap() -> ServerBootstrap {
        let (loop, report) = (loop, source.report)
        return ServerBootstrap(group: group)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptReporter(report))
                }
            }
            .childChannelOption(ChannelOptions.writeBufferWaterMark, value: Self.waterMark)
            .childChannelOption(ChannelOptions.socketOption(.so_sndbuf), value: Self.sendBuffer)
            // An idle connection keeps its last buffer, so it must be small.
            .childChannelOption(ChannelOptions.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 1024))
            .childChannelOption(ChannelOptions.maxMessagesPerRead, value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let decoder = HTTPRequestDecoder(
                        leftOverBytesStrategy: .forwardBytes, informationalResponseStrategy: .drop,
                        limitConfiguration: OpeningHandler.limits)
                    try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(decoder))
                    try channel.pipeline.syncOperations.addHandler(OpeningHandler(loop))
                }
            }
    }
}

/// Reports that no connection can be accepted. NIO tries again after a second.
private final class AcceptReporter: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private let report: @Sendable (StreamEvent) -> Void

    init(_ report: @escaping @Sendable (StreamEvent) -> Void) { self.report = report }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        report(.acceptFailed("\(error)"))
        context.fireErrorCaught(error)
    }
}
