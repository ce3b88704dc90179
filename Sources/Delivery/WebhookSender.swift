internal import Logging
internal import PostgreSQL
internal import Threads
internal import Webhook

/// Tells the receivers of webhooks about new notices, and sends the pings that administrators ask for.
final class WebhookSender: Sendable {
    private let database: SenderDatabase
    private let keys: SecretKeys
    private let client: WebhookClient
    private let stopping: Stopping
    private let logger: Logger
    private let loop = ThreadLoop()
    private let webhooks = WorkerPool()
    private let pings = WorkerPool()
    private let retry = Monitor(BackOff(first: .seconds(1), longest: .seconds(10)))

    private static let pause = Duration.seconds(1)
    /// The receivers that are told at the same time. Each may take ten seconds.
    private static let threads = 16
    private static let pingThreads = 4
    /// A sender that takes longer has died, and another one goes on. It is more than a request and its queries take.
    private static let lease = Duration.seconds(60)
    /// The age of a lease from which on no request is begun.
    private static let oldestLease = Duration.seconds(30)
    /// The time before a webhook is claimed again for which nothing could be sent.
    private static let releasePause = Duration.seconds(10)
    private static let recording = Duration.seconds(20)

    private enum ClaimColumn: Int, SelectedColumn {
        case organizationId, generation, lease, url, version, oldVersionSigns
    }

    private enum PingColumn: Int, SelectedColumn {
        case organizationId, generation, requestedAt, url, version, oldVersionSigns
    }

    private enum NumbersColumn: Int, SelectedColumn {
        case sequence, critical, newToday, open
    }

    private static let claim = Statement(
        name: "claim_webhooks",
        sql: "SELECT \(ClaimColumn.selected) FROM re.claim_webhooks($1::int, make_interval(secs => $2::int))")
    private static let claimPings = Statement(
        name: "claim_pings",
        sql: "SELECT \(PingColumn.selected) FROM re.claim_pings($1::int, make_interval(secs => $2::int))")
    private static let numbers = Statement(
        name: "live_alerts", sql: "SELECT \(NumbersColumn.selected) FROM re.live_alerts($1)")
    private static let record = Statement(
        name: "record_webhook",
        sql: "SELECT re.record_webhook($1, $2::bigint, $3::bigint, $4::bigint, $5::int)")
    private static let release = Statement(
        name: "release_webhook",
        sql: "SELECT re.release_webhook($1, $2::bigint, make_interval(secs => $3::int))")
    private static let recordPing = Statement(
        name: "record_ping",
        sql: "SELECT re.record_ping($1, $2::bigint, $3, to_timestamp($4::bigint), $5::int, $6::int, $7)")

    /// A receiver, as it was when it was claimed.
    private struct Receiver {
        let organization: String
        let generation: String
        let url: String
        let secrets: [WebhookSecret]
    }

    init(
        database: SenderDatabase, keys: SecretKeys, client: WebhookClient, stopping: Stopping, logger: Logger
    ) {
        (self.database, self.keys, self.client) = (database, keys, client)
        (self.stopping, self.logger) = (stopping, logger)
    }

    func start() throws(Thread.StartError) {
        let loop = loop
        try webhooks.start(threads: Self.threads, for: "the webhooks") { loop.wake() }
        try pings.start(threads: Self.pingThreads, for: "the pings") { loop.wake() }
        try loop.start(for: "the claims of webhooks") { [self] in .after(claimAll()) }
    }

    /// Begins nothing more.
    func stop() {
        loop.stop()
        webhooks.stop()
        pings.stop()
    }

    @discardableResult
    func waitUntilEnded(_ deadline: ContinuousClock.Instant) -> Bool {
        let isLoopDone = loop.waitUntilEnded(deadline)
        let isDone = webhooks.waitUntilEnded(deadline)
        return pings.waitUntilEnded(deadline) && isDone && isLoopDone
    }

    // MARK: Claims

    /// Claims as many webhooks as there are idle threads. Returns the pause before the next claim.
    private func claimAll() -> Duration {
        guard !stopping.hasBegun else { return Self.pause }
        do throws(PostgreSQLError) {
            try claimWebhooks()
            try claimRequestedPings()
            retry.withLock { $0.succeeded() }
            return Self.pause
        } catch {
            logger.warning("webhooks could not be claimed", metadata: error.metadata)
            return retry.withLock { $0.failed(now: .now, jitter: .random(in: 0..<1)) }
        }
    }

    private func claimWebhooks() throws(PostgreSQLError) {
        guard webhooks.idle > 0 else { return }
        let start = ContinuousClock.now
        let rows = try database.ask(Query(Self.claim, [String(webhooks.idle), Self.lease.wholeSeconds]))
        for row in rows.rows {
            guard let organization = row.text(ClaimColumn.organizationId), let lease = row.text(ClaimColumn.lease)
            else { continue }
            let receiver = receiver(
                organization, generation: row.text(ClaimColumn.generation), url: row.text(ClaimColumn.url),
                version: row.int(ClaimColumn.version), oldSigns: row.bool(ClaimColumn.oldVersionSigns))
            webhooks.run { [self] in
                if let receiver {
                    tell(receiver, lease: lease, claimedAt: start)
                } else {
                    giveBack(organization, lease)
                }
            }
        }
    }

    private func claimRequestedPings() throws(PostgreSQLError) {
        guard pings.idle > 0 else { return }
        let rows = try database.ask(Query(Self.claimPings, [String(pings.idle), Self.lease.wholeSeconds]))
        for row in rows.rows {
            guard let organization = row.text(PingColumn.organizationId),
                let requestedAt = row.text(PingColumn.requestedAt),
                let receiver = receiver(
                    organization, generation: row.text(PingColumn.generation), url: row.text(PingColumn.url),
                    version: row.int(PingColumn.version), oldSigns: row.bool(PingColumn.oldVersionSigns))
            else { continue }
            pings.run { [self] in ping(receiver, requestedAt: requestedAt) }
        }
    }

    /// Nil if OpenSSL has no memory, or a field is missing.
    private func receiver(
        _ organization: String, generation: String?, url: String?, version: Int?, oldSigns: Bool?
    ) -> Receiver? {
        guard let generation, let url, let version,
            var secrets = keys.webhookSecrets(organization: organization, version: version)
        else { return nil }
        if oldSigns == true {
            guard let old = keys.webhookSecrets(organization: organization, version: version - 1) else { return nil }
            secrets += old
        }
        return Receiver(organization: organization, generation: generation, url: url, secrets: secrets)
    }

    // MARK: Requests

    private func tell(_ receiver: Receiver, lease: String, claimedAt: ContinuousClock.Instant) {
        let numbers: WebhookMessage.Numbers
        do throws(PostgreSQLError) {
            numbers = try self.numbers(receiver.organization)
        } catch {
            logger.warning("the numbers for a webhook could not be read", metadata: error.metadata)
            return giveBack(receiver.organization, lease)
        }
        // The lease must not end during the request.
        guard claimedAt.duration(to: .now) < Self.oldestLease, !stopping.hasBegun else {
            return giveBack(receiver.organization, lease, pause: stopping.hasBegun ? .zero : Self.releasePause)
        }
        let message = WebhookMessage.changed(receiver.organization, numbers, at: UTCTime.now.seconds)
        guard let answer = post(message, to: receiver) else { return giveBack(receiver.organization, lease) }
        log("webhook", receiver, answer)
        record(
            Query(
                Self.record,
                [
                    receiver.organization, receiver.generation, lease, String(numbers.sequence),
                    answer.status.map { String($0) },
                ]))
    }

    private func ping(_ receiver: Receiver, requestedAt: String) {
        let start = UTCTime.now.seconds
        let message = WebhookMessage.ping(receiver.organization, id: RandomID.uuid(), at: start)
        guard let answer = post(message, to: receiver) else { return }
        log("ping", receiver, answer)
        record(
            Query(
                Self.recordPing,
                [
                    receiver.organization, receiver.generation, requestedAt, String(start),
                    answer.status.map { String($0) }, String(answer.milliseconds), answer.fault?.rawValue,
                ]))
    }

    private func numbers(_ organization: String) throws(PostgreSQLError) -> WebhookMessage.Numbers {
        let rows = try database.ask(Query(Self.numbers, [organization]), organization: organization)
        guard let row = rows.rows.first(where: { _ in true }), let sequence = row.int(NumbersColumn.sequence),
            let critical = row.int(NumbersColumn.critical), let newToday = row.int(NumbersColumn.newToday),
            let open = row.int(NumbersColumn.open)
        else { throw .unexpectedResult("no numbers") }
        return WebhookMessage.Numbers(sequence: sequence, critical: critical, newToday: newToday, open: open)
    }

    /// Nil if OpenSSL has no memory.
    private func post(_ message: WebhookMessage, to receiver: Receiver) -> WebhookAnswer? {
        guard let headers = message.headers(receiver.secrets, at: UTCTime.now.seconds) else {
            logger.error("a webhook could not be signed", metadata: ["organization": "\(receiver.organization)"])
            return nil
        }
        return client.post(receiver.url, headers: headers, body: message.body) { [stopping] in stopping.isOver }
    }

    /// The log never contains the URL, which often is a secret.
    private func log(_ what: String, _ receiver: Receiver, _ answer: WebhookAnswer) {
        var metadata: Logger.Metadata = [
            "organization": "\(receiver.organization)", "duration_ms": "\(answer.milliseconds)",
        ]
        if let status = answer.status { metadata["status"] = "\(status)" }
        guard let fault = answer.fault else {
            return logger.info("a \(what) was delivered", metadata: metadata)
        }
        metadata["error"] = "\(fault.rawValue)"
        logger.warning("a \(what) was not delivered", metadata: metadata)
    }

    private func giveBack(_ organization: String, _ lease: String, pause: Duration = releasePause) {
        record(Query(Self.release, [organization, lease, pause.wholeSeconds]))
    }

    private func record(_ query: Query) {
        do throws(PostgreSQLError) {
            try database.record(query, until: stopping.recordingEnd(Self.recording))
        } catch {
            logger.warning("the outcome of a webhook could not be recorded", metadata: error.metadata)
        }
    }
}

extension Duration {
    /// The whole seconds, as a parameter of a query.
    var wholeSeconds: String { String(components.seconds) }
}
