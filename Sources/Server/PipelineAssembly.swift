import API
import JWT
import PostgreSQL

/// Builds the pipeline from the other parts of the server.
struct PipelineAssembly {
    let configuration: Configuration
    let log: ServerLog
    let parts: ServerParts
    let metrics: Metrics
    let waiting: WaitingRequests

    func pipeline() -> Pipeline {
        let verifier = Verifier(keys: parts.keys, policy: configuration.policy, denied: parts.denied)
        let responseCache = responseCache()
        let readings = readings(verifier, responseCache)
        return Pipeline(
            authenticator: Authenticator(verifier: verifier),
            database: database(),
            responseCache: responseCache,
            hooks: hooks(),
            service: ServiceResponses(
                idleLogoffMinutes: configuration.idleLogoffMinutes, securityText: configuration.securityText,
                recentReadiness: parts.recentReadiness
            ) { [metrics] in metrics.render(readings) },
            cors: CORS(allowedOrigins: configuration.allowedOrigins),
            administrators: AdminRoles(configuration.adminRoles),
            webhooks: configuration.webhooks,
            queueTimeout: QueueTimeout(longest: sharesClockWithNginx ? configuration.acquireTimeout : nil),
            logger: log.logger)
    }

    private var sharesClockWithNginx: Bool {
        if case .address(.tcp) = configuration.listen { false } else { true }
    }

    private func database() -> RequestDatabase {
        let (database, readiness) = (parts.database, parts.readiness)
        return RequestDatabase(
            run: { (query, organization, repeatable) throws(PostgreSQLError) in
                try database.run(query, organization: organization, repeatable: repeatable)
            },
            checkReadiness: { () throws(PostgreSQLError) in try readiness.check() },
            timeWaited: { database.pool.timeWaited })
    }

    private func responseCache() -> ResponseCache? {
        guard configuration.answerCacheBytes > 0 else { return nil }
        let database = parts.database
        return ResponseCache(capacity: configuration.answerCacheBytes) {
            (probe, query, organization) throws(PostgreSQLError) in
            try database.run(probe: probe, then: query, organization: organization)
        }
    }

    private func hooks() -> RequestHooks {
        let limiter = configuration.rateLimit > 0 ? RateLimiter(rate: configuration.rateLimit) : nil
        let (metrics, audit, level) = (metrics, parts.audit, log.level)
        let openings = FirstOpenings()
        let access = AccessLog(sink: log.sink, format: log.format)
        let slow = configuration.slowRequest.map {
            SlowRequestLog(sink: log.sink, format: log.format, level: level, threshold: $0)
        }
        return RequestHooks(
            admit: { try limiter?.admit($0) },
            record: { audit.record($0) },
            isFirstOpening: { openings.note($0, at: wallClock()) },
            forgetOpening: { openings.forget($0) },
            report: { event in
                switch event {
                case .refused(let attempt): audit.refuse(attempt)
                case .answered(let observation):
                    metrics.record(observation)
                    audit.note(observation)
                    if level.current <= .info { access.write(observation) }
                    slow?.write(observation)
                }
            })
    }

    /// The readings of other parts, in the order of `/metrics`.
    private func readings(_ verifier: Verifier, _ responseCache: ResponseCache?) -> [Metrics.Reading] {
        let (parts, waiting, sink, database) = (parts, waiting, log.sink, parts.database)
        let (isAudited, protectionsOff) = (configuration.isAudited, configuration.protectionsOff)
        return [
            { $0.add(waiting.statistics) },
            { $0.add(connections: parts.acceptor.openConnections) },
            { $0.add(streams: parts.streams.statistics, refused: parts.streamPlaces.refused) },
            { $0.add(liveFailures: parts.news.failures) },
            { $0.add(database.pool.statistics) },
            { $0.add(database.refreshes.statistics) },
            { $0.add(isClockFrozen: database.watch.isClockFrozen) },
            { $0.add(foundationFaults: database.foundation.count) },
            { $0.add(loginFaults: database.login.count) },
            { $0.add(protectionsOff: protectionsOff) },
            { $0.add(tokens: verifier.cacheStatistics) },
            { $0.add(keys: parts.keys.statistics) },
            { $0.add(denied: parts.denied?.statistics ?? DenyList.Statistics()) },
            { $0.add(responseCache?.statistics ?? ResponseCache.Statistics()) },
            { $0.add(lostLogLines: sink.lostLines) },
            { $0.add(isAudited: isAudited) },
            { $0.add(audit: parts.audit.trail.statistics) },
            { $0.add(parts.audit.volume.statistics) },
            { if let rest = parts.maintenance.auditRest { $0.add(auditRest: rest) } },
            { $0.add(auditUnsealed: parts.maintenance.auditUnsealed) },
            { $0.add(parts.senders.figures) },
            { if let process = ProcessFigures.current() { $0.add(process) } },
        ]
    }
}
