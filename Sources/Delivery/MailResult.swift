/// What became of a mail that was handed to a relay.
enum MailResult: Equatable, Sendable {
    /// The relay has taken it.
    case sent
    /// The connection ended after the end of the message was sent, and before the relay's answer. It may have it.
    case unknown
    /// The relay refuses the message or its sender for good.
    case refused(code: Int)
    /// The relay refuses one recipient, so that the message was not sent to any.
    case recipientRefused(index: Int, code: Int, isFinal: Bool)
    /// It may succeed later: no connection, no login, or a refusal that may pass.
    case later(code: Int?)
}
