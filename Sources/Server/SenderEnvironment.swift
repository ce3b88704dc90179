import Delivery
import Files
import Text

/// The variables that only the sender reads.
extension EnvironmentReader {
    private static let mostPasswordBytes = 4096

    /// The relay and the sender's address. Nil if `SMTP_URL` is not set.
    mutating func mail() -> MailSettings? {
        let login = smtpLogin()
        guard let text = value("SMTP_URL") else { return nil }
        let relay: MailSettings.Relay
        if text.hasPrefix("outbox:"), text.utf8.count > "outbox:".utf8.count {
            relay = .outbox(directory: String(text.dropFirst("outbox:".count)))
        } else if let smtp = SMTPRelay(text) {
            relay = .smtp(login.map { smtp.loggingIn(username: $0.username, password: $0.password) } ?? smtp)
        } else {
            reject("SMTP_URL", "must be \(SMTPRelay.forms), without a login")
            return nil
        }
        guard let from = required("SMTP_FROM") else { return nil }
        guard let settings = MailSettings(relay: relay, from: from) else {
            reject("SMTP_FROM", "must be an address such as alerts@example.com, without a name")
            return nil
        }
        return settings
    }

    /// The login at the relay. Nil if it is not set.
    private mutating func smtpLogin() -> (username: String, password: String)? {
        let (username, path) = (value("SMTP_USERNAME"), value("SMTP_PASSWORD_FILE"))
        guard username != nil || path != nil else { return nil }
        guard let username, let path else {
            reject("SMTP_USERNAME", "and SMTP_PASSWORD_FILE: both must be set, or neither")
            return nil
        }
        do throws(FileError) {
            let bytes = try TrustedFile.read(path, atMost: Self.mostPasswordBytes)
            let line = bytes.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
            guard let password = String(utf8: line), !password.isEmpty, !line.contains(0) else {
                reject("SMTP_PASSWORD_FILE", "names a file whose first line is not a password in UTF-8")
                return nil
            }
            return (username, password)
        } catch {
            reject("SMTP_PASSWORD_FILE", error.text)
            return nil
        }
    }
}
