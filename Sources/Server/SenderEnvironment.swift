import Delivery
import Webhook

/// The variables of the sender.
extension EnvironmentReader {
    mutating func secretKeys() -> SecretKeys? {
        guard let path = value("SECRETS_KEY_FILE") else { return nil }
        do throws(SecretKeys.Invalid) {
            return try SecretKeys(file: path)
        } catch {
            reject("SECRETS_KEY_FILE", error.text)
            return nil
        }
    }

    mutating func allowsPrivateReceivers() -> Bool { number("WEBHOOK_ALLOW_PRIVATE", in: 0...1, default: 0) == 1 }

    /// The public origin of the service, which is https, or http on this machine.
    mutating func publicAddress() -> String? {
        _ = publicURL()
        return value("PUBLIC_URL")
    }

    mutating func mail() -> MailSettings? { nil }
}
