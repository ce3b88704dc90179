import NIOCore
import Threads

/// The connections of the event loop, and the way from there to threads that may wait.
// @unchecked: it is used on its event loop alone. Closures carry it to that loop.
final class StreamLoop: @unchecked Sendable {
    let hub = Hub()
    private let eventLoop: any EventLoop
    private let source: StreamSource
    private let pool: BlockingPool
    private let counters: StreamCounters
    /// Called if a stream has to ask for stored notices.
    private let wakePoller: @Sendable () -> Void
    private var openings: [ObjectIdentifier: OpeningHandler] = [:]
    private var streams: [ObjectIdentifier: StreamHandler] = [:]
    private var isStopping = false
    private var isVerifying = false

    /// Further connections are closed. nginx then answers 502.
    private static let mostOpenings = 1024
    /// A token that is denied ends its streams within 60 s (docs/definitions.md, section 10).
    private static let ticksBetweenVerifications = 20

    init(
        eventLoop: any EventLoop, source: StreamSource, pool: BlockingPool, counters: StreamCounters,
        wakePoller: @escaping @Sendable () -> Void
    ) {
        (self.eventLoop, self.source, self.pool, self.counters) = (eventLoop, source, pool, counters)
        self.wakePoller = wakePoller
    }

    /// Runs `body` on the event loop.
    func execute(_ body: @escaping @Sendable (StreamLoop) -> Void) {
        eventLoop.execute { [self] in body(self) }
    }

    /// The number of connections.
    var connections: Int { openings.count + streams.count }

    // MARK: Connections

    func accepted(_ handler: OpeningHandler) {
        guard openings.count < Self.mostOpenings else { return handler.close() }
        openings[ObjectIdentifier(handler)] = handler
    }

    /// The connection is closed, or its stream begins.
    func gone(_ handler: OpeningHandler) { openings[ObjectIdentifier(handler)] = nil }

    func began(_ handler: StreamHandler, _ transport: StreamRequest.Transport) {
        streams[ObjectIdentifier(handler)] = handler
        counters.opened(transport)
    }

    func ended(_ handler: StreamHandler, _ transport: StreamRequest.Transport) {
        guard streams.removeValue(forKey: ObjectIdentifier(handler)) != nil else { return }
        counters.closed(transport)
    }

    func join(_ stream: Stream, _ start: StreamStart) {
        let asks = hub.join(stream, start)
        if isStopping { return hub.end(stream, .shuttingDown) }
        if asks { wakePoller() }
    }

    func askForReplays() { wakePoller() }

    // MARK: Work that may wait

    func open(_ request: StreamRequest, _ answer: @escaping (StreamResponse) -> Void) {
        let answer = NIOLoopBound(answer, eventLoop: eventLoop)
        pool.run { [source, eventLoop] in
            let response = source.open(request)
            eventLoop.execute { answer.value(response) }
        }
    }

    func verify(_ token: [UInt8], _ done: @escaping (Credential?) -> Void) {
        let done = NIOLoopBound(done, eventLoop: eventLoop)
        pool.run(urgent: true) { [source, eventLoop] in
            let credential = source.verify(token)
            eventLoop.execute { done.value(credential) }
        }
    }

    /// Verifies the tokens of all streams again, and ends those that are no longer valid.
    private func verifyAll() {
        let streams = hub.organizations.values.flatMap(\.members)
        guard !isVerifying, !streams.isEmpty else { return }
        isVerifying = true
        let tokens = streams.map(\.credential.token)
        let bound = NIOLoopBound(streams, eventLoop: eventLoop)
        pool.run(urgent: true) { [self, source] in
            let refused = tokens.indices.filter { source.verify(tokens[$0]) == nil }
            execute { loop in
                loop.isVerifying = false
                for index in refused where bound.value[index].credential.token == tokens[index] {
                    loop.hub.end(bound.value[index], .tokenExpired)
                }
            }
        }
    }

    // MARK: Time

    /// Call it once a second.
    func tick() {
        hub.tick(now: source.now())
        for handler in Array(openings.values) { handler.closeIfLate(hub.ticks) }
        for handler in Array(streams.values) { handler.check(hub.ticks) }
        if hub.ticks % Self.ticksBetweenVerifications == 0 { verifyAll() }
        count()
    }

    /// Sends what the answers tell. True if there is more to ask for at once.
    func take(_ answers: [Answer], receivedAt: ContinuousClock.Instant) -> Bool {
        let waited = receivedAt.duration(to: .now)
        var isMore = false
        for answer in answers where hub.take(answer, waited: waited) { isMore = true }
        count()
        return isMore
    }

    private func count() { counters.add(hub.takeEvents()) }

    // MARK: The end

    /// Sends all streams their last message. New ones are ended at once.
    func stop() {
        isStopping = true
        hub.endAll()
    }

    /// Closes all connections, whatever is unsent.
    func closeAll() {
        for handler in Array(openings.values) { handler.close() }
        for handler in Array(streams.values) { handler.close() }
    }
}
