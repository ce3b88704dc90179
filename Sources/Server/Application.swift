import Live
import Logging

/// The server. It starts its parts, runs until a signal stops it, and then finishes the open requests.
public struct Application: Sendable {
    private let configuration: Configuration
    private let log: ServerLog

    /// After the signal, idle connections of nginx are served for this long. The process ends within 10 s.
    private static let grace = Duration.seconds(7)
    private static let longestStop = Duration.milliseconds(9250)
    /// Time for the last messages of the live streams.
    private static let longestStreamStop = Duration.seconds(7)
    /// Time for the last audit entries after ``longestStop``. Earlier entries are written every 100 ms.
    private static let longestAuditFlush = Duration.milliseconds(400)
    /// Time for the last log lines, in case the log's reader has stopped reading.
    private static let longestLogFlush = Duration.milliseconds(250)

    public init(configuration: Configuration, sink: LogSink = LogSink()) {
        self.configuration = configuration
        log = ServerLog(sink: sink, format: configuration.logFormat, level: configuration.logLevel)
    }

    /// Serves until a signal stops it, then finishes the current requests.
    ///
    /// - Throws: the reason why it could not start. Its description is one line for the operator.
    func run(_ signals: OperatorSignals) throws {
        try log.sink.start()
        defer { log.sink.stop(within: Self.longestLogFlush) }
        for protection in configuration.protectionsOff { log.logger.warning("\(protection.text)") }
        let parts = try ServerParts(configuration: configuration, logger: log.logger)
        let (live, workers) = try startServing(parts)
        log.logger.info("listening", metadata: ["version": "\(serverVersion)", "workers": "\(configuration.workers)"])
        // This call must not be an argument of the log statement, which evaluates its arguments only if the level is
        // enabled.
        let signal = waitForStop(signals, parts)
        log.logger.info("stopping", metadata: ["signal": "\(signal)"])
        stop(parts, live, workers)
    }

    private func startServing(_ parts: ServerParts) throws -> (LiveServer, WorkerThreads) {
        let metrics = Metrics()
        let waiting = WaitingRequests(permits: configuration.workers, longestWait: configuration.acquireTimeout)
        let assembly = PipelineAssembly(
            configuration: configuration, log: log, parts: parts, metrics: metrics, waiting: waiting)
        let pipeline = assembly.pipeline()
        let live = LiveServer(
            listener: parts.liveListener, source: streamSource(parts, pipeline, metrics), counters: parts.streams)
        try live.start()
        let worker = Worker(acceptor: parts.acceptor, pipeline: pipeline, waiting: waiting, metrics: metrics)
        // There is one thread more than permits. It can read requests while the others wait for the database.
        return (live, try WorkerThreads(count: configuration.workers + 1) { worker.run() })
    }

    private func streamSource(_ parts: ServerParts, _ pipeline: Pipeline, _ metrics: Metrics) -> StreamSource {
        let door = LiveDoor(pipeline: pipeline, metrics: metrics, places: parts.streamPlaces)
        let (news, logger) = (parts.news, log.logger)
        return StreamSource(
            open: { door.open($0) }, verify: { door.verify($0) }, ask: { news.ask($0) },
            refresh: { news.refresh($0) }, now: { door.now },
            report: { event in
                switch event {
                case .acceptFailed(let reason):
                    logger.error("no live stream can be accepted", metadata: ["reason": "\(reason)"])
                }
            })
    }

    /// Handles the operator's signals. Returns the name of the one that stops the server.
    private func waitForStop(_ signals: OperatorSignals, _ parts: ServerParts) -> String {
        while true {
            let (name, event) = signals.wait()
            switch event {
            case .stop: return name
            case .readKeys:
                parts.keys.readAgain()
                parts.denied?.readAgain()
            case .logLevel(let moreVerbose): log.stepLevel(moreVerbose: moreVerbose, signal: name)
            }
        }
    }

    private func stop(_ parts: ServerParts, _ live: LiveServer, _ workers: WorkerThreads) {
        let now = ContinuousClock.now
        let end = now + Self.longestStop
        parts.stopWatching()
        parts.acceptor.stop(grace: Self.grace)
        live.stop(by: now + Self.longestStreamStop)
        let drained = workers.waitUntilDone(end)
        let lost = parts.audit.stop(by: end + Self.longestAuditFlush)
        if lost > 0 {
            log.logger.error(
                "audit entries are lost: the database accepted none before the server stopped",
                metadata: ["entries": "\(lost)"])
        }
        parts.maintenance.sealRest(by: end + Self.longestAuditFlush)
        parts.keys.stop()
        parts.denied?.stop()
        log.logger.info("stopped", metadata: ["drained": "\(drained)"])
    }
}
