import Logging
import PostgreSQL
import Threads

/// Reads what the senders report, on its own thread, so that `/metrics` does not wait for the database.
final class SenderWatch: Sendable {
    /// Runs a query that is bound to no organization.
    typealias Database = @Sendable (_ query: Query) throws(PostgreSQLError) -> QueryResult

    /// The figures of all senders, as last read.
    struct Figures: Equatable, Sendable {
        /// The senders that have reported within a minute.
        var senders = 0
        /// The organizations with a webhook or a digest.
        var organizations = 0
        /// The seconds since a sender last reported. Nil if none has in the last day.
        var seenSeconds: Int?
        /// How long the oldest notice waits that a webhook has not been told of. Nil if no sender has reported.
        var webhookLagSeconds: Int?
        var webhooksFailing: Int?
        var webhooksDelivered = 0
        var webhooksFailed = 0
        var digestsSent = 0
        var digestsFailed = 0
    }

    private enum Column: Int, SelectedColumn {
        case senders, organizations, seenSeconds, webhookLagSeconds, webhooksFailing, webhooksDelivered
        case webhooksFailed, digestsSent, digestsFailed
    }

    private static let statement = Statement(
        name: "sender_figures", sql: "SELECT \(Column.selected) FROM re.sender_figures()")
    private static let pause = Duration.seconds(5)
    private static let pauseAfterFailure = Duration.seconds(20)

    private let database: Database
    private let logger: Logger
    private let state = Monitor(Figures())
    private let loop = ThreadLoop()

    init(database: @escaping Database, logger: Logger) { (self.database, self.logger) = (database, logger) }

    /// Zero before the database has answered.
    var figures: Figures { state.withLock { $0 } }

    func start() throws(Thread.StartError) {
        try loop.start(for: "the senders' figures") { [self] in .after(read() ? Self.pause : Self.pauseAfterFailure) }
    }

    func stop() { loop.stop() }

    private func read() -> Bool {
        do throws(PostgreSQLError) {
            let rows = try database(Query(Self.statement))
            guard rows.rowCount == 1 else { throw .unexpectedResult("no figures of the senders") }
            let row = rows[0]
            let figures = Figures(
                senders: row.int(Column.senders) ?? 0, organizations: row.int(Column.organizations) ?? 0,
                seenSeconds: row.int(Column.seenSeconds),
                webhookLagSeconds: row.int(Column.webhookLagSeconds),
                webhooksFailing: row.int(Column.webhooksFailing),
                webhooksDelivered: row.int(Column.webhooksDelivered) ?? 0,
                webhooksFailed: row.int(Column.webhooksFailed) ?? 0,
                digestsSent: row.int(Column.digestsSent) ?? 0, digestsFailed: row.int(Column.digestsFailed) ?? 0)
            state.withLock { $0 = figures }
            return true
        } catch {
            logger.debug("the figures of the senders could not be read", metadata: ["reason": "\(error)"])
            return false
        }
    }
}

extension PrometheusText {
    mutating func add(_ senders: SenderWatch.Figures) {
        gauge("reengagement_senders", "Senders that have reported within a minute.", senders.senders)
        gauge(
            "reengagement_organizations_to_send", "Organizations with a webhook or a digest.", senders.organizations)
        if let seconds = senders.seenSeconds {
            gauge("reengagement_sender_seen_seconds", "Seconds since a sender last reported.", seconds)
        }
        if let seconds = senders.webhookLagSeconds {
            gauge(
                "reengagement_webhook_lag_seconds",
                "For how long the oldest notice has waited that a webhook has not been told of.", seconds)
        }
        if let number = senders.webhooksFailing {
            gauge("reengagement_webhooks_failing", "Webhooks whose last request failed.", number)
        }
        family(
            "reengagement_webhook_requests_total", .counter, "Requests to webhooks, by result, of all senders.",
            [([("result", "delivered")], senders.webhooksDelivered), ([("result", "failed")], senders.webhooksFailed)])
        family(
            "reengagement_digests_total", .counter, "Digests, by result, of all senders.",
            [([("result", "sent")], senders.digestsSent), ([("result", "failed")], senders.digestsFailed)])
    }
}
