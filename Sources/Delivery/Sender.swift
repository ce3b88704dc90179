public import Logging
internal import PostgreSQL
public import Threads

/// Sends webhooks and digests until it is stopped. Any number of senders may run at once.
public final class Sender: Sendable {
    private let stopping = Stopping()
    private let webhooks: WebhookSender?
    private let advancing: Advancing?

    public init(settings: SenderSettings, database: SenderDatabase, logger: Logger) {
        let stopping = stopping
        webhooks = settings.keys.map { keys in
            WebhookSender(
                database: database, keys: keys, client: WebhookClient(allowsPrivate: settings.allowsPrivateReceivers),
                stopping: stopping, logger: logger)
        }
        advancing = settings.keys.map { _ in Advancing(database: database, logger: logger) }
    }

    /// Starts the threads.
    public func start() throws(Thread.StartError) {
        try webhooks?.start()
        try advancing?.start()
    }

    /// Begins nothing more, and waits for what has begun.
    ///
    /// - Parameters:
    ///   - end: the time at which transfers are broken off.
    ///   - deadline: the time until which their outcomes are recorded.
    /// - Returns: whether everything has ended.
    public func stop(transfersUntil end: ContinuousClock.Instant, deadline: ContinuousClock.Instant) -> Bool {
        stopping.begin(until: end)
        advancing?.stop()
        webhooks?.stop()
        let isSent = webhooks?.waitUntilEnded(deadline) ?? true
        let isAdvanced = advancing?.waitUntilEnded(deadline) ?? true
        return isSent && isAdvanced
    }
}
