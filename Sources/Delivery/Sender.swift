public import Logging
internal import PostgreSQL
public import Threads

/// Sends webhooks and digests until it is stopped. Any number of senders may run at once.
public final class Sender: Sendable {
    private let stopping: Stopping
    private let webhooks: WebhookSender?
    private let advancing: Advancing
    private let digests: DigestSender?
    private let report: SenderReport

    public init(settings: SenderSettings, database: SenderDatabase, logger: Logger) {
        let stopping = Stopping()
        self.stopping = stopping
        webhooks = settings.keys.map { keys in
            WebhookSender(
                database: database, keys: keys, client: WebhookClient(allowsPrivate: settings.allowsPrivateReceivers),
                stopping: stopping, logger: logger)
        }
        advancing = Advancing(database: database, logger: logger)
        digests = settings.mail.map { mail in
            DigestSender(
                database: database, mail: mail, publicURL: settings.publicURL, stopping: stopping, logger: logger)
        }
        let channels = [(settings.keys != nil, "webhook"), (settings.mail != nil, "mail")].filter(\.0).map(\.1)
        report = SenderReport(database: database, channels: channels, logger: logger)
    }

    /// Starts the threads.
    public func start() throws(Thread.StartError) {
        try webhooks?.start()
        try advancing.start()
        try digests?.start()
        try report.start()
    }

    /// Begins nothing more, and waits for what has begun.
    ///
    /// - Parameters:
    ///   - end: the time at which transfers are broken off.
    ///   - deadline: the time until which their outcomes are recorded.
    /// - Returns: whether everything has ended.
    public func stop(transfersUntil end: ContinuousClock.Instant, deadline: ContinuousClock.Instant) -> Bool {
        stopping.begin(until: end)
        advancing.stop()
        webhooks?.stop()
        digests?.stop()
        report.stop()
        let areEnded = [
            webhooks?.waitUntilEnded(deadline), advancing.waitUntilEnded(deadline), digests?.waitUntilEnded(deadline),
            report.waitUntilEnded(deadline),
        ]
        return areEnded.allSatisfy { $0 ?? true }
    }
}
