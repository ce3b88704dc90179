internal import CCurl

/// Hands mails to a relay.
struct SMTPClient: Sendable {
    let relay: SMTPRelay

    /// How long it may take to establish a connection, including TLS.
    private static let connectDeadline = Duration.seconds(20)
    /// How long the whole transfer may take. A relay may take its time after the end of the message.
    private static let deadline = Duration.seconds(180)

    func send(_ mail: Mail, isStopped: @escaping StopCheck) -> MailResult {
        let relay = relay
        // The name must not lead to another machine if the connection may lack TLS.
        guard
            let transfer = CurlTransfer(isStopped: isStopped, mayConnect: { !relay.isLoopback || $0.isLoopback })
        else { return .later(code: nil) }
        let log = DialogueLog()
        configure(transfer, mail)
        transfer.setUpload(mail.content) { [unowned transfer] line in
            switch line {
            case .command(let bytes): log.dialogue.noteCommand(bytes)
            case .reply(let bytes): log.dialogue.noteReply(bytes, isUploaded: transfer.isUploaded)
            }
        }
        let code = transfer.perform()
        return log.dialogue.result(isComplete: code == CURLE_OK, isUploaded: transfer.isUploaded)
    }

    private func configure(_ transfer: CurlTransfer, _ mail: Mail) {
        transfer.set(CURLOPT_URL, relay.url)
        transfer.set(CURLOPT_PROTOCOLS_STR, relay.isImplicitTLS ? "smtps" : "smtp")
        transfer.set(CURLOPT_USE_SSL, Int(relay.isLoopback ? CURLUSESSL_TRY.rawValue : CURLUSESSL_ALL.rawValue))
        if relay.isLoopback {
            // A relay on this machine often has a certificate that names another one, and there is no network between.
            transfer.set(CURLOPT_SSL_VERIFYPEER, 0)
            transfer.set(CURLOPT_SSL_VERIFYHOST, 0)
        }
        if let username = relay.username, let password = relay.password {
            transfer.set(CURLOPT_USERNAME, username)
            transfer.set(CURLOPT_PASSWORD, password)
        }
        transfer.set(CURLOPT_MAIL_FROM, "<\(mail.from)>")
        transfer.set(CURLOPT_MAIL_RCPT, mail.recipients.map { "<\($0)>" })
        transfer.set(CURLOPT_CONNECTTIMEOUT_MS, Self.connectDeadline)
        transfer.set(CURLOPT_TIMEOUT_MS, Self.deadline)
    }
}

/// A dialogue that a callback changes.
private final class DialogueLog {
    var dialogue = SMTPDialogue()
}
