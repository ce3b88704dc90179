import Logging

/// The server. It starts its parts, runs until a signal stops it, and then finishes the open requests.
public struct Application: Sendable {
    private let configuration: Configuration
    private let log: ServerLog

    /// After the signal, idle connections of nginx are served for this long. The process ends within 10 s.
    private static let grace = Duration.seconds(7)
    private static let longestStop = Duration.milliseconds(9250)
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
        let workers = try startWorkers(parts)
        log.logger.info("listening", metadata: ["version": "\(serverVersion)", "workers": "\(configuration.workers)"])
        // This call must not be an argument of the log statement, which evaluates its arguments only if the level is
        // enabled.
        let signal = waitForStop(signals, parts)
        log.logger.info("stopping", metadata: ["signal": "\(signal)"])
        stop(parts, workers)
    }

    private func startWorkers(_ parts: ServerParts) throws -> WorkerThreads {
        let metrics = Metrics()
        let waiting = WaitingRequests(permits: configuration.workers, longestWait: configuration.acquireTimeout)
        let assembly = PipelineAssembly(
            configuration: configuration, log: log, parts: parts, metrics: metrics, waiting: waiting)
        let worker = Worker(
            acceptor: parts.acceptor, pipeline: assembly.pipeline(), waiting: waiting, metrics: metrics)
        // There is one thread more than permits. It can read requests while the others wait for the database.
        return try WorkerThreads(count: configuration.workers + 1) { worker.run() }
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

    private func stop(_ parts: ServerParts, _ workers: WorkerThreads) {
        let end = ContinuousClock.now + Self.longestStop
        parts.stopWatching()
        parts.acceptor.stop(grace: Self.grace)
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
