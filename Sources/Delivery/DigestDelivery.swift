/// Hands one digest over, to all recipients that the relay does not refuse.
///
/// The relay decides about each recipient before the message is sent. If it refuses one for good, the message is begun
/// again without that one. If it may accept one later, nothing is sent now and all is tried again later, so that one
/// message goes to all. Only the last attempt goes without those too.
struct DigestDelivery {
    /// The result of an attempt, in the spelling of `re.record_digest`.
    enum Result: String {
        case sent, unknown, refused, retry
    }

    let recipients: [String]
    /// True if a later attempt would be too late.
    let isLast: Bool
    /// Hands a message to the relay, for these recipients.
    let send: (_ recipients: [String]) -> MailResult

    /// - Returns: the result, the recipients that were refused for good, and the code of the last refusal.
    func run() -> (result: Result, refused: [String], code: Int?) {
        var refused = recipients.filter { !Mail.isAddress($0) }
        var rest = recipients.filter(Mail.isAddress)
        var isAnyLater = false
        var lastCode: Int?
        while !rest.isEmpty {
            switch send(rest) {
            case .sent: return (.sent, refused, lastCode)
            case .unknown: return (.unknown, refused, lastCode)
            case .refused(let code): return (.refused, refused, code)
            case .later(let code): return (.retry, refused, code)
            case .recipientRefused(let index, let code, let isFinal):
                lastCode = code
                guard rest.indices.contains(index), isFinal || isLast else { return (.retry, refused, code) }
                let recipient = rest.remove(at: index)
                if isFinal { refused.append(recipient) } else { isAnyLater = true }
            }
        }
        return (isAnyLater ? .retry : .refused, refused, lastCode)
    }
}
