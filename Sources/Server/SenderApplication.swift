import Delivery
import Glibc
import Logging
import PostgreSQL

/// The sender. It starts its parts, runs until a signal stops it, and then finishes what it has begun.
struct SenderApplication {
    private let configuration: SenderConfiguration
    private let log: ServerLog

    /// After the signal, transfers may take this long, and up to a second more until libcurl asks. The process ends
    /// within 10 s.
    private static let longestTransfer = Duration.milliseconds(8200)
    private static let longestStop = Duration.milliseconds(9600)
    /// Time for the last log lines, in case the log's reader has stopped reading.
    private static let longestLogFlush = Duration.milliseconds(250)

    init(configuration: SenderConfiguration, sink: LogSink = LogSink()) {
        self.configuration = configuration
        log = ServerLog(sink: sink, format: configuration.logFormat, level: configuration.logLevel)
    }

    /// Sends until a signal stops it.
    ///
    /// - Throws: the reason why it could not start. Its description is one line for the operator.
    func run(_ signals: OperatorSignals) throws {
        try log.sink.start()
        defer { log.sink.stop(within: Self.longestLogFlush) }
        for warning in configuration.warnings { log.logger.warning("\(warning)") }
        let pool = pool()
        let login = try ServerParts.startLoginWatch(pool, configuration.databaseLogin, log.logger)
        let watch = try ServerParts.startSettingsWatch(pool, log.logger)
        let sender = Sender(settings: configuration.settings, database: database(pool, login), logger: log.logger)
        try sender.start()
        log.logger.info("sending", metadata: ["version": "\(serverVersion)"])
        // This call must not be an argument of the log statement, which evaluates its arguments only if the level is
        // enabled.
        let signal = waitForStop(signals)
        log.logger.info("stopping", metadata: ["signal": "\(signal)"])
        let now = ContinuousClock.now
        watch.stop()
        login.stop()
        let isDone = sender.stop(transfersUntil: now + Self.longestTransfer, deadline: now + Self.longestStop)
        log.logger.info("stopped", metadata: ["drained": "\(isDone)"])
    }

    private func waitForStop(_ signals: OperatorSignals) -> String {
        while true {
            let (name, event) = signals.wait()
            switch event {
            case .stop: return name
            // The keys in SECRETS_KEY_FILE are read at the start only.
            case .readKeys: continue
            case .logLevel(let moreVerbose): log.stepLevel(moreVerbose: moreVerbose, signal: name)
            }
        }
    }

    private func database(_ pool: ConnectionPool, _ login: FoundationWatch) -> SenderDatabase {
        SenderDatabase { (query, organization) throws(PostgreSQLError) in
            if let error = login.troubleBeforeProof { throw error }
            return try pool.run(query, organization: organization, repeatable: false)
        }
    }

    private func pool() -> ConnectionPool {
        let logger = log.logger
        return ConnectionPool(
            configuration.connection, capacity: configuration.poolSize, acquireTimeout: configuration.acquireTimeout,
            logger: logger
        ) { refresh in
            logger.warning(
                "derived data could not be brought up to date",
                metadata: ["organization": "\(refresh.organization)", "class": "\(refresh.error.kind)"])
        }
    }
}
