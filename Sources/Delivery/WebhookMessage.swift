internal import JSON
internal import Text
internal import Webhook

/// A message to the receiver of a webhook (Standard Webhooks).
struct WebhookMessage: Equatable, Sendable {
    /// The value of `webhook-id`.
    let id: String
    let body: [UInt8]

    /// The numbers of an organization's alerts.
    struct Numbers: Equatable, Sendable {
        let sequence: Int
        let critical: Int
        let newToday: Int
        let open: Int
    }

    /// The message after new notices. A repetition has the same id, unless there is news.
    static func changed(_ organization: String, _ numbers: Numbers, at seconds: Int) -> WebhookMessage {
        let body = json("alerts.changed", organization, at: seconds) { writer in
            writer.member("sequence", number: numbers.sequence)
            writer.member("critical", number: numbers.critical)
            writer.member("new_today", number: numbers.newToday)
            writer.member("open", number: numbers.open)
        }
        return WebhookMessage(id: "\(headerToken(organization)):\(numbers.sequence)", body: body)
    }

    /// The message that an administrator has asked for.
    static func ping(_ organization: String, id: String, at seconds: Int) -> WebhookMessage {
        WebhookMessage(id: id, body: json("ping", organization, at: seconds) { _ in })
    }

    private static func json(
        _ type: String, _ organization: String, at seconds: Int, _ members: (inout JSONWriter) -> Void
    ) -> [UInt8] {
        var writer = JSONWriter(capacity: 256)
        writer.object { writer in
            writer.member("type", string: type)
            writer.member("timestamp", string: UTCTime(seconds).rfc3339)
            writer.object("data") { writer in
                writer.member("organization_id", string: organization)
                members(&writer)
            }
        }
        return writer.bytes
    }

    /// An id as it may stand in a header: other bytes than letters, digits, `-` and `_` are percent-encoded.
    private static func headerToken(_ id: String) -> String {
        id.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                String(UnicodeScalar(byte))
            default: "%" + Hexadecimal.text([byte])
            }
        }.joined()
    }

    /// The headers of the request, with a signature by each secret. Nil if OpenSSL has no memory.
    func headers(_ secrets: [WebhookSecret], at seconds: Int) -> [String]? {
        let signatures = secrets.compactMap { $0.signature(id: id, timestamp: seconds, body: body) }
        guard signatures.count == secrets.count else { return nil }
        return [
            "Content-Type: application/json", "webhook-id: \(id)", "webhook-timestamp: \(seconds)",
            "webhook-signature: \(signatures.joined(separator: " "))",
        ]
    }
}
