public import Webhook

/// What the operator has set for the senders.
public struct SenderSettings: Sendable {
    /// The keys that webhooks are signed with. Without them no webhook is sent.
    public let keys: SecretKeys?
    /// Whether webhooks may go to any address and port, by http too.
    public let allowsPrivateReceivers: Bool
    /// Without it no mail is sent.
    public let mail: MailSettings?
    /// The address of the dashboard, for the link in a digest.
    public let publicURL: String?

    public init(
        keys: SecretKeys?, allowsPrivateReceivers: Bool, mail: MailSettings?, publicURL: String?
    ) {
        (self.keys, self.allowsPrivateReceivers, self.mail, self.publicURL) = (
            keys, allowsPrivateReceivers, mail, publicURL
        )
    }
}
