import Logging

/// The server: starts its parts, runs until a signal stops it, and drains it.
public struct Application: Sendable {
    private let configuration: Configuration
    private let log: ServerLog

    /// How long idle connections of nginx are served after the signal; the process ends within 10 s of it.
    private static let grace = Duration.seconds(7)
    private static let longestStop = Duration.milliseconds(9250)
    /// For the last audit entries, if draining took all of that. Earlier ones are written every 100 ms meanwhile.
    private static let longestAuditFlush = Duration.milliseconds(400)
    /// For the last log lines, if the log's reader has stopped reading.
    private static let longestLogFlush = Duration.milliseconds(250)

    public init(configuration: Configuration, sink: LogSink = LogSink()) {
        self.configuration = configuration
        log = ServerLog(sink: sink, configuration: configuration)
    }

    /// Serves until a signal stops it, then finishes the requests that have begun.
    ///
    /// - Throws: the reason why it could not be started, with a description of one line for the operator.
    func run(_ signals: OperatorSignals) throws {
        try log.sink.start()
        defer { log.sink.stop(within: Self.longestLogFlush) }
        for protection in configuration.protectionsOff { log.logger.warning("\(protection.text)") }
        let parts = try ServerParts(configuration: configuration, logger: log.logger)
        let workers = try startWorkers(parts)
        log.logger.info("listening", metadata: ["version": "\(serverVersion)", "workers": "\(configuration.workers)"])
        // A call in the log line would not run below the line's level.
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
        // One more than may wait for the database: it reads requests while the others wait.
        return try WorkerThreads(count: configuration.workers + 1) { worker.run() }
    }

    /// Handles the operator's signals; returns the name of the one that stops the server.
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
                "audit entries are lost: the database took none until the end", metadata: ["entries": "\(lost)"])
        }
        parts.maintenance.sealRest(by: end + Self.longestAuditFlush)
        parts.keys.stop()
        parts.denied?.stop()
        log.logger.info("stopped", metadata: ["drained": "\(drained)"])
    }
}
