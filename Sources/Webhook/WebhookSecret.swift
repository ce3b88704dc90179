internal import Digest
internal import JSON

/// The secret by which the receiver of a webhook checks signatures (alerts.md, section 3; Standard Webhooks).
///
/// It is computed from a key of the server and is stored nowhere.
public struct WebhookSecret: Sendable {
    private let bytes: [UInt8]

    /// HMAC-SHA-256(key, "webhook" ‖ 0x00 ‖ organization ‖ 0x00 ‖ version). Nil if OpenSSL has no memory.
    init?(key: [UInt8], organization: String, version: Int) {
        let message = Array("webhook".utf8) + [0] + Array(organization.utf8) + [0] + Array(String(version).utf8)
        guard let bytes = HMAC.sha256(key: key, message) else { return nil }
        self.bytes = bytes
    }

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// The notation of Standard Webhooks: `whsec_` and base64.
    public var text: String { "whsec_\(Base64.encode(bytes))" }

    /// The signature of a message for the header `webhook-signature`: `v1,` and base64. Nil if OpenSSL has no memory.
    ///
    /// - Parameters:
    ///   - id: the value of `webhook-id`.
    ///   - timestamp: the value of `webhook-timestamp`, in seconds since 1970.
    public func signature(id: String, timestamp: Int, body: [UInt8]) -> String? {
        let message = Array("\(id).\(timestamp).".utf8) + body
        return HMAC.sha256(key: bytes, message).map { "v1,\(Base64.encode($0))" }
    }
}
