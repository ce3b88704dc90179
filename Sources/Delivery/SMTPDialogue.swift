/// The dialogue with a mail relay, from which the result of a mail is read (RFC 5321).
///
/// libcurl reports only an error and the last reply, which cannot tell a refused recipient from a refused sender.
struct SMTPDialogue {
    private enum Step {
        case other, mail, recipient, data
    }

    private var step = Step.other
    private var recipients = 0
    private var lastCode: Int?
    /// The first reply after the end of the message.
    private var finalCode: Int?
    private var isQuitting = false

    /// Notes a command that is sent. A login is not kept.
    mutating func noteCommand(_ bytes: [UInt8]) {
        // libcurl ends the session in order after a refusal. What counts came before.
        isQuitting = isQuitting || bytes.starts(with: "QUIT".utf8)
        guard !isQuitting else { return }
        lastCode = nil
        switch true {
        case bytes.starts(with: "RCPT TO:".utf8): (step, recipients) = (.recipient, recipients + 1)
        case bytes.starts(with: "MAIL FROM:".utf8): (step, recipients) = (.mail, 0)
        case bytes.starts(with: "DATA".utf8): step = .data
        default: step = .other
        }
    }

    /// Notes a line of a reply.
    ///
    /// - Parameter isUploaded: whether the whole message has been sent.
    mutating func noteReply(_ bytes: [UInt8], isUploaded: Bool) {
        guard !isQuitting, bytes.count >= 3, let code = Int(String(decoding: bytes[..<3], as: UTF8.self)),
            (200...599).contains(code)
        else { return }
        lastCode = code
        if isUploaded && finalCode == nil { finalCode = code }
    }

    /// The result after the transfer has ended.
    func result(isComplete: Bool, isUploaded: Bool) -> MailResult {
        if isComplete { return .sent }
        if isUploaded {
            switch finalCode {
            case .some(200...299): return .sent
            case .some(let code) where code >= 500: return .refused(code: code)
            case .some(let code) where code >= 400: return .later(code: code)
            default: return .unknown
            }
        }
        guard let code = lastCode, code >= 400 else { return .later(code: nil) }
        switch step {
        // 421 closes the connection, and is not about the recipient.
        case .recipient where code != 421:
            return .recipientRefused(index: recipients - 1, code: code, isFinal: code >= 500)
        case .mail where code >= 500, .data where code >= 500: return .refused(code: code)
        default: return .later(code: code)
        }
    }
}
