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

    public init(relay: Relay, from: String) { (self.relay, self.from) = (relay, from) }
}
