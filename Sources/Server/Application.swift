import API
import FastCGI
import Glibc
import JWT
import Logging
import PostgreSQL
import Threads

/// The composition root: builds the server from its configuration, runs it, and drains it.
public struct Application: Sendable {
    private let configuration: Configuration
    private let logger: Logger
    private let sink: LogSink
    private let logLevel: LogLevel

    /// How long kept connections may still be answered after the signal; the process ends within 10 s of it.
    private static let grace = Duration.seconds(7)
    private static let longestStop = Duration.milliseconds(9250)
    /// For the last audit entries, where draining took all of that; they are written every 100 ms meanwhile.
    private static let longestAuditFlush = Duration.milliseconds(400)
    /// How long the last log lines may take, where whoever reads them has stopped reading.
    private static let longestFlush = Duration.milliseconds(250)

    public init(configuration: Configuration, sink: LogSink = LogSink()) {
        self.configuration = configuration
        self.sink = sink
        let (format, level) = (configuration.logFormat, LogLevel(configuration.logLevel))
        logLevel = level
        logger = Logger(label: "reengagement-api") { _ in
            StructuredLogHandler(sink: sink, format: format, level: level)
        }
    }

    /// Why the server could not be started, in one line for the operator.
    public struct StartError: Error, CustomStringConvertible {
        public let description: String
    }

    /// Serves until a signal tells it to stop, then finishes what was begun; other signals have the keys read again and
    /// change the log's level meanwhile.
    func run(_ signals: OperatorSignals) throws(StartError) {
        try startLog()
        defer { sink.stop(within: Self.longestFlush) }
        for protection in configuration.protectionsOff { logger.warning("\(protection.text)") }
        let keys = try keySet()
        let denied = try denyList()
        let refreshes = Refreshes(logger: logger)
        let pool = pool(refreshes)
        // Before it listens: a server that is served by this path meanwhile goes on.
        let login = try startLoginWatch(pool)
        let acceptor = try acceptor()
        let watch = try startSettingsWatch(pool)
        let foundation = try startFoundationWatch(pool)
        let audit = try startAudit(pool)
        let maintenance = try startMaintenance(pool, refreshes)
        let database = Database(pool: pool, refreshes: refreshes, watch: watch, foundation: foundation, login: login)
        let readiness = Readiness(pool: pool, causes: [{ audit.trouble }] + database.causes)
        let recent = try startRecentReadiness(readiness)
        let workers = try startWorkers(acceptor, keys, denied, database, audit, maintenance, (readiness, recent))
        logger.info(
            "listening", metadata: ["version": "\(serverVersion)", "workers": "\(configuration.workers)"])
        // Not in the log line: below its level nothing of it is evaluated.
        let signal = waitForStop(signals, keys, denied)
        let end = ContinuousClock.now + Self.longestStop
        logger.info("stopping", metadata: ["signal": "\(signal)"])
        maintenance.stop()
        watch.stop()
        foundation.stop()
        login.stop()
        recent.stop()
        acceptor.stop(grace: Self.grace)
        let drained = workers.waitUntilDone(end)
        flush(audit, by: end + Self.longestAuditFlush)
        maintenance.sealRest(by: end + Self.longestAuditFlush)
        keys.shutdown()
        denied?.shutdown()
        logger.info("stopped", metadata: ["drained": "\(drained)"])
    }

    /// Starts a part that has a thread of its own; `purpose` says in the error what it is for.
    private func startThread(for purpose: String, _ start: () throws(Thread.StartError) -> Void) throws(StartError) {
        do throws(Thread.StartError) {
            try start()
        } catch {
            throw StartError(description: "the system refuses a thread for \(purpose) (errno \(error.code))")
        }
    }

    private func startLog() throws(StartError) {
        try startThread(for: "the log") { () throws(Thread.StartError) in try sink.start() }
    }

    private func waitForStop(_ signals: OperatorSignals, _ keys: KeySet, _ denied: DenyList?) -> String {
        while true {
            let (name, event) = signals.wait()
            switch event {
            case .stop: return name
            case .readKeys:
                keys.readAgain()
                denied?.readAgain()
            case .logLevel(let moreVerbose):
                let before = logLevel.current
                logLevel.step(moreVerbose: moreVerbose)
                var logger = logger
                // Whatever the levels are: who changes them wants to see that it happened.
                logger.logLevel = .trace
                logger.notice(
                    "the log level has changed",
                    metadata: ["from": "\(before)", "to": "\(logLevel.current)", "signal": "\(name)"])
            }
        }
    }

    /// Has the audit written to the end, once there are no more answers.
    private func flush(_ audit: Audit, by deadline: ContinuousClock.Instant) {
        let unwritten = audit.stop(by: deadline)
        guard unwritten > 0 else { return }
        logger.error(
            "audit entries are lost: the database took none until the end", metadata: ["entries": "\(unwritten)"])
    }

    private func keySet() throws(StartError) -> KeySet {
        do throws(KeySourceError) {
            return try KeySet(source: configuration.keys, maxAge: configuration.keysMaxAge, logger: logger)
        } catch {
            throw StartError(description: error.description)
        }
    }

    /// Nil where nobody is denied.
    private func denyList() throws(StartError) -> DenyList? {
        do throws(KeySourceError) {
            return try configuration.denyFile.map { (path) throws(KeySourceError) in
                try DenyList(path: path, logger: logger)
            }
        } catch {
            throw StartError(description: error.description)
        }
    }

    private func acceptor() throws(StartError) -> Acceptor {
        do throws(ListenError) {
            let listener =
                switch configuration.listen {
                case .address(let address): try Listener.open(address)
                case .inherited(let descriptor): try Listener.inherited(descriptor: descriptor)
                }
            let logger = logger
            return try Acceptor(listener: listener) { event in
                switch event {
                case .acceptFailed(let code):
                    logger.error("no connection can be accepted", metadata: ["errno": "\(code)"])
                }
            }
        } catch {
            let variable = configuration.listen == .inherited(descriptor: 3) ? "LISTEN_FDS" : "FCGI_LISTEN"
            throw StartError(description: "\(variable): \(error)")
        }
    }

    private func pool(_ refreshes: Refreshes) -> ConnectionPool {
        let logger = logger
        return ConnectionPool(
            parameters: configuration.connection, capacity: configuration.poolSize,
            acquireTimeout: configuration.acquireTimeout
        ) { event in
            switch event {
            case .notOpened(let error):
                logger.warning(
                    "a connection to the database could not be opened",
                    metadata: ["class": "\(error.kind)", "reason": "\(error)"])
            case .refreshFailed(let refresh): refreshes.failed(refresh.organization, refresh.error)
            }
        }
    }

    private func startSettingsWatch(_ pool: ConnectionPool) throws(StartError) -> SettingsWatch {
        let watch = SettingsWatch(
            database: { (query) throws(PostgreSQLError) in try pool.run(query, organization: "") },
            renew: { pool.renew() }, logger: logger)
        try startThread(for: "the settings") { () throws(Thread.StartError) in try watch.start() }
        return watch
    }

    private func startWorkers(
        _ acceptor: Acceptor, _ keys: KeySet, _ denied: DenyList?, _ database: Database, _ audit: Audit,
        _ maintenance: Maintenance, _ readiness: (now: Readiness, recent: RecentReadiness)
    ) throws(StartError) -> WorkerThreads {
        let metrics = Metrics()
        let waiting = WaitingRequests(permits: configuration.workers, longestWait: configuration.acquireTimeout)
        let worker = Worker(
            acceptor: acceptor,
            pipeline: pipeline(acceptor, keys, denied, database, metrics, waiting, audit, maintenance, readiness),
            waiting: waiting, metrics: metrics)
        do throws(Thread.StartError) {
            // One more than may wait for the database: it takes requests in, whatever the others wait for.
            return try WorkerThreads(count: configuration.workers + 1) { worker.run() }
        } catch {
            throw StartError(description: "WORKER_THREADS: the system refuses a thread (errno \(error.code))")
        }
    }

    private func startRecentReadiness(_ readiness: Readiness) throws(StartError) -> RecentReadiness {
        let recent = RecentReadiness(
            longestWait: configuration.acquireTimeout, mostWaiting: max(1, configuration.workers / 2)
        ) { () throws(PostgreSQLError) in try readiness.check() }
        try startThread(for: "the readiness") { () throws(Thread.StartError) in try recent.start() }
        return recent
    }

    private func startMaintenance(_ pool: ConnectionPool, _ refreshes: Refreshes) throws(StartError) -> Maintenance {
        let maintenance = Maintenance(
            database: { (query, organization) throws(PostgreSQLError) in
                try pool.run(query, organization: organization, repeatable: false)
            }, refreshes: refreshes, logger: logger)
        try startThread(for: "the background work") { () throws(Thread.StartError) in try maintenance.start() }
        return maintenance
    }

    private func startLoginWatch(_ pool: ConnectionPool) throws(StartError) -> FoundationWatch {
        let watch = FoundationWatch(
            .login(configuration.databaseLogin),
            database: { (query) throws(PostgreSQLError) in try pool.run(query, organization: "") }, logger: logger)
        // A database that is away says nothing yet: then requests wait for its word.
        if configuration.databaseLogin == .bound, watch.look() == nil, let trouble = watch.trouble {
            throw StartError(
                description:
                    "DATABASE_LOGIN is bound, and the login of DATABASE_URL is not (\(trouble)); docs/operating.md "
                    + "says how to mend it, and DATABASE_LOGIN=any accepts it")
        }
        try startThread(for: "the login") { () throws(Thread.StartError) in try watch.start() }
        return watch
    }

    private func startFoundationWatch(_ pool: ConnectionPool) throws(StartError) -> FoundationWatch {
        let watch = FoundationWatch(
            database: { (query) throws(PostgreSQLError) in
                try pool.run(binding: FoundationWatch.binding, then: query, organization: "")[1]
            }, logger: logger)
        try startThread(for: "what answers rest on") { () throws(Thread.StartError) in try watch.start() }
        return watch
    }

    private func startAudit(_ pool: ConnectionPool) throws(StartError) -> Audit {
        let trail = AuditTrail(
            database: { (query) throws(PostgreSQLError) in
                try pool.run(query, organization: "", repeatable: false)
            }, logger: logger)
        let audit = Audit(
            trail: trail, volume: AuditVolume(megabytes: configuration.auditDailyMegabytes),
            run: ServerEntry(isAudited: configuration.isAudited, listen: configuration.listen.name))
        try startThread(for: "the audit") { () throws(Thread.StartError) in try audit.start() }
        return audit
    }

    private func pipeline(
        _ acceptor: Acceptor, _ keys: KeySet, _ denied: DenyList?, _ database: Database, _ metrics: Metrics,
        _ waiting: WaitingRequests, _ audit: Audit, _ maintenance: Maintenance,
        _ readiness: (now: Readiness, recent: RecentReadiness)
    ) -> Pipeline {
        let verifier = Verifier(keys: keys, policy: configuration.policy, denied: denied)
        let sink = sink
        let responseCache = responseCache(database)
        let protectionsOff = configuration.protectionsOff
        return Pipeline(
            authenticator: Authenticator(verifier: verifier),
            database: { (query, organization, repeatable) throws(PostgreSQLError) in
                try database.run(query, organization: organization, repeatable: repeatable)
            },
            responseCache: responseCache,
            readiness: { () throws(PostgreSQLError) in try readiness.now.check() },
            waitedForConnections: { database.pool.timeWaited },
            cors: CORS(allowedOrigins: configuration.allowedOrigins),
            logger: logger,
            pageSettings: ServiceAnswers.pageSettings(idleLogoffMinutes: configuration.idleLogoffMinutes),
            renderMetrics: {
                metrics.render(
                    [
                        { $0.add(waiting.statistics) },
                        { $0.add(connections: acceptor.openConnections) }, { $0.add(database.pool.statistics) },
                        { $0.add(database.refreshes.statistics) },
                        { $0.add(isClockFrozen: database.watch.isClockFrozen) },
                        { $0.add(foundationFaults: database.foundation.count) },
                        { $0.add(loginFaults: database.login.count) },
                        { $0.add(protectionsOff: protectionsOff) },
                        { $0.add(tokens: verifier.cacheStatistics) },
                        { $0.add(keys: keys.statistics) },
                        { $0.add(denied: denied?.statistics ?? DenyList.Statistics()) },
                        { $0.add(responseCache?.statistics ?? ResponseCache.Statistics()) },
                        { $0.add(lostLogLines: sink.lostLines) },
                        { $0.add(isAudited: configuration.isAudited) }, { $0.add(audit: audit.trail.statistics) },
                        { $0.add(audit.volume.statistics) },
                        { if let rest = maintenance.auditRest { $0.add(auditRest: rest) } },
                        { $0.add(auditUnsealed: maintenance.auditUnsealed) },
                        { if let process = ProcessFigures.current() { $0.add(process) } },
                    ])
            },
            afterAuthentication: afterAuthentication(),
            audit: { audit.record($0) },
            refused: { audit.refuse($0) },
            afterAnswer: afterAnswer(metrics, audit),
            recentReadiness: readiness.recent,
            patience: Patience(longest: sharesClockWithNginx ? configuration.acquireTimeout : nil),
            securityText: configuration.securityText)
    }

    private var sharesClockWithNginx: Bool {
        if case .address(.tcp) = configuration.listen { false } else { true }
    }

    private func responseCache(_ database: Database) -> ResponseCache? {
        guard configuration.answerCacheBytes > 0 else { return nil }
        return ResponseCache(capacity: configuration.answerCacheBytes) {
            (probe, query, organization) throws(PostgreSQLError) in
            try database.run(probe: probe, then: query, organization: organization)
        }
    }

    private func afterAuthentication() -> [@Sendable (Principal) throws -> Void] {
        guard configuration.rateLimit > 0 else { return [] }
        let limiter = RateLimiter(rate: configuration.rateLimit)
        return [{ try limiter.admit($0) }]
    }

    private func afterAnswer(_ metrics: Metrics, _ audit: Audit) -> [@Sendable (Observation) -> Void] {
        var hooks: [@Sendable (Observation) -> Void] = [{ metrics.record($0) }, { audit.note($0) }]
        let (level, access) = (logLevel, AccessLog(sink: sink, format: configuration.logFormat))
        hooks.append { if level.current <= .info { access.write($0) } }
        if let threshold = configuration.slowRequest {
            let slow = SlowRequestLog(
                sink: sink, format: configuration.logFormat, level: level, threshold: threshold)
            hooks.append { slow.write($0) }
        }
        return hooks
    }
}
