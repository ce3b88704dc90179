import JWT
import Live
import PostgreSQL

/// The metrics of the server's parts, as readings of ``Metrics``.
extension PrometheusText {
    mutating func add(_ requests: WaitingRequests.Statistics) {
        gauge("reengagement_workers", "Worker threads for requests that ask the database.", requests.permits)
        gauge("reengagement_workers_busy", "Of these, at work on a request.", requests.granted)
        gauge("reengagement_requests_waiting", "Requests waiting for a worker thread.", requests.waiting)
    }

    mutating func add(_ pool: ConnectionPool.Statistics) {
        gauge("reengagement_db_pool_size", "Database connections at most.", pool.capacity)
        gauge("reengagement_db_pool_in_use", "Database connections in use.", pool.leased)
        gauge("reengagement_db_pool_idle", "Database connections open and idle.", pool.idle)
        gauge("reengagement_db_pool_waiting", "Requests waiting for a database connection.", pool.waiting)
        counter("reengagement_db_pool_timeouts_total", "Requests that got no connection in time.", pool.timeouts)
        family(
            "reengagement_db_open_failures_total", "Database connections that could not be opened, by class.",
            pool.failedOpenings)
    }

    mutating func add(_ refreshes: Refreshes.Statistics) {
        gauge(
            "reengagement_refresh_failing",
            "Organizations answered plainly, since their derived data could not be written.",
            refreshes.organizations)
        family(
            "reengagement_refresh_failures_total", "Attempts to bring derived data up to date that failed, by class.",
            refreshes.failures)
    }

    mutating func add(isClockFrozen: Bool) {
        gauge(
            "reengagement_clock_frozen", "Whether reengagement.now is set, which fixes the time of all responses.",
            isClockFrozen ? 1 : 0)
    }

    /// A counter by class. All classes are present from the start, because a rate needs the 0 before the first error.
    private mutating func family(_ name: String, _ help: String, _ counts: [DatabaseCause: Int]) {
        family(name, .counter, help, DatabaseCause.allCases.map { ([("class", $0.rawValue)], counts[$0] ?? 0) })
    }

    mutating func add(foundationFaults: Int) {
        gauge(
            "reengagement_foundation_faults",
            "Database objects that responses or isolation depend on and that differ from the state after migrate.",
            foundationFaults)
    }

    mutating func add(loginFaults: Int) {
        gauge(
            "reengagement_login_faults", "Reasons why the login of DATABASE_URL could leave DATABASE_ROLE.",
            loginFaults)
    }

    /// All protections are present, because an alert needs the 0 too.
    mutating func add(protectionsOff: [ProtectionOff]) {
        let off = Set(protectionsOff.map(\.protection))
        family(
            "reengagement_protection_off", .gauge, "Whether the environment turns a protection off.",
            Protection.allCases.map { ([("what", $0.rawValue)], off.contains($0) ? 1 : 0) })
    }

    mutating func add(tokens: (hits: Int, misses: Int, evictions: Int, tokens: Int, bytes: Int)) {
        gauge("reengagement_token_cache_tokens", "Verified tokens in the cache.", tokens.tokens)
        gauge("reengagement_token_cache_bytes", "Approximate memory of the cached tokens.", tokens.bytes)
        counter("reengagement_token_cache_hits_total", "Tokens found in the cache.", tokens.hits)
        counter(
            "reengagement_token_cache_misses_total", "Tokens that were verified because they were not in the cache.",
            tokens.misses)
        counter(
            "reengagement_token_cache_evictions_total", "Tokens evicted from the cache for others.", tokens.evictions)
    }

    mutating func add(keys: KeySet.Statistics) {
        gauge("reengagement_keys", "Signing keys in use.", keys.keys)
        gauge(
            "reengagement_keys_age_seconds", "Seconds since the signing keys were last read; 0 for CLERK_JWT_KEY.",
            keys.age)
        counter("reengagement_keys_failures_total", "Failed attempts to read the signing keys.", keys.failures)
    }

    mutating func add(denied: DenyList.Statistics) {
        gauge("reengagement_denied_names", "Subjects and sessions that are refused.", denied.entries)
        gauge("reengagement_deny_file_age_seconds", "Seconds since TOKEN_DENY_FILE was last read.", denied.age)
        counter("reengagement_deny_file_failures_total", "Failed attempts to read TOKEN_DENY_FILE.", denied.failures)
    }

    mutating func add(_ cache: ResponseCache.Statistics) {
        gauge("reengagement_kept_answers", "Cached responses.", cache.responses)
        gauge("reengagement_kept_answers_bytes", "Approximate memory of the cached responses.", cache.bytes)
        counter("reengagement_kept_answers_hits_total", "Requests that received a cached response.", cache.hits)
        counter("reengagement_kept_answers_misses_total", "Requests that received a computed response.", cache.misses)
        counter(
            "reengagement_kept_answers_evictions_total", "Responses evicted from the cache for others.", cache.evictions
        )
    }

    mutating func add(lostLogLines: Int) {
        counter("reengagement_log_lines_lost_total", "Log lines that could not be written.", lostLogLines)
    }

    mutating func add(connections: Int) {
        gauge("reengagement_fastcgi_connections", "Open connections from nginx.", connections)
    }

    mutating func add(streams: StreamStatistics, refused: StreamPlaces.Refused) {
        family(
            "reengagement_live_streams", .gauge, "Open live streams, by transport.",
            [([("transport", "events")], streams.events), ([("transport", "websocket")], streams.webSockets)])
        family(
            "reengagement_live_refused_total", .counter, "Openings of live streams that a limit refused.",
            [([("limit", "subject")], refused.ofSubject), ([("limit", "process")], refused.ofProcess)])
        counter("reengagement_live_notices_total", "Notices sent to live streams.", streams.noticesSent)
        counter(
            "reengagement_live_dropped_total", "Live streams that ended because their client did not read.",
            streams.dropped)
        let name = "reengagement_live_lag_seconds"
        head(name, .histogram, "From the writing of a notice to its sending to the streams of its organization.")
        var cumulative = 0
        for (bound, count) in zip(StreamStatistics.Lag.bounds, streams.lag.counts) {
            cumulative += count
            sample(name + "_bucket", [("le", "\(bound)")], cumulative)
        }
        sample(name + "_bucket", [("le", "+Inf")], streams.lag.count)
        sample(name + "_sum", [], streams.lag.sum)
        sample(name + "_count", [], streams.lag.count)
    }

    mutating func add(liveFailures: Int) {
        counter(
            "reengagement_live_failures_total", "Attempts to read the news of the live streams that failed.",
            liveFailures)
    }

    mutating func add(audit: AuditTrail.Statistics) {
        gauge("reengagement_audit_waiting", "Audit entries not in the database yet.", audit.waiting)
        counter("reengagement_audit_written_total", "Audit entries written.", audit.written)
        counter("reengagement_audit_refused_total", "Responses that the audit could not record.", audit.refused)
        counter("reengagement_audit_failures_total", "Failed attempts to write the audit.", audit.failures)
        counter(
            "reengagement_audit_isolated_total",
            "Audit entries that the database refused and that re.audit_refused_entry holds.",
            audit.isolated)
        counter(
            "reengagement_audit_lost_total", "Audit entries that the database refused and that could not be stored.",
            audit.lost)
    }

    mutating func add(isAudited: Bool) {
        gauge("reengagement_audit_on", "Whether requests are recorded in the audit.", isAudited ? 1 : 0)
    }

    mutating func add(_ volume: AuditVolume.Statistics) {
        counter("reengagement_audit_bytes_total", "Approximate bytes of the audit entries.", volume.ofEntries)
        counter("reengagement_outreach_bytes_total", "Bytes of bodies whose attempts were logged.", volume.ofAttempts)
        gauge(
            "reengagement_audit_organizations_beyond_daily",
            "Organizations whose entries of today take more than AUDIT_DAILY_MB.", volume.beyond)
    }

    mutating func add(auditRest: Int) {
        gauge(
            "reengagement_audit_rest_entries", "Audit entries in no month's partition, counted up to 10000.", auditRest)
    }

    mutating func add(auditUnsealed: Duration) {
        gauge(
            "reengagement_audit_unsealed_seconds", "For how long the oldest audit entry has been without a seal.",
            Int(auditUnsealed / .seconds(1)))
    }

    /// Process metrics, under the names that Prometheus' client libraries use.
    mutating func add(_ process: ProcessFigures) {
        counter("process_cpu_seconds_total", "Processor time, of user and system, in seconds.", process.cpuSeconds)
        gauge("process_resident_memory_bytes", "Memory in RAM, in bytes.", process.residentBytes)
        gauge("process_virtual_memory_bytes", "Memory mapped, in bytes.", process.virtualBytes)
        gauge("process_open_fds", "Open file descriptors.", process.openDescriptors)
        gauge("process_max_fds", "File descriptors at most.", process.descriptorLimit)
        gauge("process_start_time_seconds", "When the process was started, in seconds since 1970.", process.startTime)
    }
}
