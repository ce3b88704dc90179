import FastCGI
import JWT
import Live
import Logging
import PostgreSQL

/// The parts of the server that live as long as it does. Most have their own thread.
struct ServerParts: Sendable {
    let keys: KeySet
    /// Nil without `TOKEN_DENY_FILE`.
    let denied: DenyList?
    let acceptor: Acceptor
    let liveListener: Listener
    let streams = StreamCounters()
    let streamPlaces = StreamPlaces()
    let news: LiveNews
    let database: Database
    let audit: Audit
    let maintenance: Maintenance
    let senders: SenderWatch
    let readiness: Readiness
    let recentReadiness: RecentReadiness

    /// Starts all parts. The socket is opened only after the login has been checked, so that an earlier server keeps it
    /// until then.
    init(configuration: Configuration, logger: Logger) throws {
        keys = try KeySet(source: configuration.keys, maxAge: configuration.keysMaxAge, logger: logger)
        try keys.start()
        denied = try configuration.denyFile.map { try DenyList(path: $0, logger: logger) }
        try denied?.start()
        let refreshes = Refreshes(logger: logger)
        let pool = ConnectionPool(
            configuration.connection, capacity: configuration.poolSize, acquireTimeout: configuration.acquireTimeout,
            logger: logger
        ) { refreshes.failed($0.organization, $0.error) }
        let login = try Self.startLoginWatch(pool, configuration.databaseLogin, logger)
        liveListener = try Self.listener(configuration.liveListen, "LIVE_LISTEN")
        acceptor = try Self.acceptor(configuration.listen, logger)
        news = LiveNews(
            database: { (query, organization) throws(PostgreSQLError) in
                try pool.run(query, organization: organization, repeatable: false)
            }, refreshes: refreshes, logger: logger)
        database = Database(
            pool: pool, refreshes: refreshes, watch: try Self.startSettingsWatch(pool, logger),
            foundation: try Self.startFoundationWatch(pool, logger), login: login)
        audit = try Self.startAudit(pool, configuration, logger)
        maintenance = Maintenance(
            database: { (query, organization) throws(PostgreSQLError) in
                try pool.run(query, organization: organization, repeatable: false)
            }, refreshes: refreshes, logger: logger)
        try maintenance.start()
        senders = SenderWatch(
            database: { (query) throws(PostgreSQLError) in try pool.run(query, organization: "") }, logger: logger)
        try senders.start()
        let readiness = Readiness(pool: pool, causes: [{ [audit] in audit.trouble }] + database.causes)
        self.readiness = readiness
        recentReadiness = RecentReadiness(
            longestWait: configuration.acquireTimeout, mostWaiting: max(1, configuration.workers / 2)
        ) { () throws(PostgreSQLError) in try readiness.check() }
        try recentReadiness.start()
    }

    /// Stops the threads that no response needs.
    func stopWatching() {
        maintenance.stop()
        senders.stop()
        database.watch.stop()
        database.foundation.stop()
        database.login.stop()
        recentReadiness.stop()
    }

    private static func acceptor(_ listen: Configuration.Listen, _ logger: Logger) throws -> Acceptor {
        let listener = try listener(listen, "FCGI_LISTEN")
        do throws(ListenError) {
            return try Acceptor(listener: listener) { event in
                switch event {
                case .acceptFailed(let code):
                    logger.error("no connection can be accepted", metadata: ["errno": "\(code)"])
                }
            }
        } catch {
            throw StartError(description: "FCGI_LISTEN: \(error)")
        }
    }

    private static func listener(_ listen: Configuration.Listen, _ variable: String) throws(StartError) -> Listener {
        do throws(ListenError) {
            return switch listen {
            case .address(let address): try Listener.open(address)
            case .inherited(let descriptor): try Listener.inherited(descriptor: descriptor)
            }
        } catch {
            let variable = if case .inherited = listen { "LISTEN_FDS" } else { variable }
            throw StartError(description: "\(variable): \(error)")
        }
    }

    static func startSettingsWatch(_ pool: ConnectionPool, _ logger: Logger) throws -> SettingsWatch {
        let watch = SettingsWatch(
            database: { (query) throws(PostgreSQLError) in try pool.run(query, organization: "") },
            renew: { pool.renew() }, logger: logger)
        try watch.start()
        return watch
    }

    static func startLoginWatch(
        _ pool: ConnectionPool, _ policy: DatabaseLogin, _ logger: Logger
    ) throws -> FoundationWatch {
        let watch = FoundationWatch(
            .login(policy),
            database: { (query) throws(PostgreSQLError) in try pool.run(query, organization: "") }, logger: logger)
        // While the database is unreachable the login cannot be checked, and requests wait for the first check.
        if policy == .bound, watch.check() == nil, let trouble = watch.trouble {
            throw StartError(
                description:
                    "DATABASE_LOGIN is bound, and the login of DATABASE_URL is not (\(trouble)); docs/operating.md "
                    + "says how to mend it, and DATABASE_LOGIN=any accepts it")
        }
        try watch.start()
        return watch
    }

    private static func startFoundationWatch(_ pool: ConnectionPool, _ logger: Logger) throws -> FoundationWatch {
        let watch = FoundationWatch(
            database: { (query) throws(PostgreSQLError) in
                try pool.run(binding: FoundationWatch.binding, then: query, organization: "").rows()
            }, logger: logger)
        try watch.start()
        return watch
    }

    private static func startAudit(
        _ pool: ConnectionPool, _ configuration: Configuration, _ logger: Logger
    ) throws -> Audit {
        let trail = AuditTrail(
            database: { (query) throws(PostgreSQLError) in
                try pool.run(query, organization: "", repeatable: false)
            }, logger: logger)
        let audit = Audit(
            trail: trail, volume: AuditVolume(megabytes: configuration.auditDailyMegabytes),
            run: ServerEntry(isAudited: configuration.isAudited, listen: configuration.listen.name))
        try audit.start()
        return audit
    }
}

extension ConnectionPool {
    /// A pool that logs each connection that could not be opened.
    ///
    /// - Parameter refreshFailed: called when a statement answered from the plain views, because it could not bring
    ///   the derived data up to date.
    convenience init(
        _ parameters: ConnectionParameters, capacity: Int, acquireTimeout: Duration, logger: Logger,
        refreshFailed: @escaping @Sendable (FailedRefresh) -> Void
    ) {
        self.init(parameters: parameters, capacity: capacity, acquireTimeout: acquireTimeout) { event in
            switch event {
            case .notOpened(let error):
                logger.warning(
                    "a connection to the database could not be opened",
                    metadata: ["class": "\(error.kind)", "reason": "\(error)"])
            case .refreshFailed(let refresh): refreshFailed(refresh)
            }
        }
    }
}
