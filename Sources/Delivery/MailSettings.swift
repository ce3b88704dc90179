/// The relay for mails, and the sender's address.
public struct MailSettings: Sendable {
    /// Where mails go.
    public enum Relay: Sendable {
        case smtp(SMTPRelay)
        /// A directory in which each mail becomes a file.
        case outbox(directory: String)
    }

    let relay: Relay
    /// A plain address such as `alerts@example.com`.
    let from: String

    /// - Returns: nil if `from` is not a plain address.
    public init?(relay: Relay, from: String) {
        guard Mail.isAddress(from) else { return nil }
        (self.relay, self.from) = (relay, from)
    }

    func send(_ mail: Mail, isStopped: @escaping StopCheck) -> MailResult {
        switch relay {
        case .smtp(let relay): SMTPClient(relay: relay).send(mail, isStopped: isStopped)
        case .outbox(let directory): Outbox(directory: directory).send(mail)
        }
    }
}
