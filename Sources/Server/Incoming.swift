import API
import JWT

/// A request from nginx: the HTTP request, the values that nginx adds, and the unread body.
struct Incoming {
    enum Body {
        case complete([UInt8])
        case tooLarge
        case incomplete
    }

    let request: Request
    let requestID: String
    /// The server's own id of the request, which no client can choose.
    let serverRequestID = RequestID.random()
    /// Whether a timer of the dashboard page sent it. This is only noted in its audit entry.
    var isAutomatic = false
    let authorization: [UInt8]?
    let origin: [UInt8]?
    /// The headers of a preflight request.
    var preflight = Preflight()
    /// The address of nginx's client.
    let address: String?
    /// Whether a header that the server does not read is longer than ``Pipeline/headerLimit``.
    var hasLongHeader = false
    /// Whether a header shows that a proxy in front of nginx forwarded the request.
    var isForwarded = false
    /// The scheme and the Host header that the client used.
    var scheme: String?
    var host: String?
    /// An estimate of its maximum memory in bytes.
    var size = 0
    /// The live stream that it asks for. Nil if it did not come by the listener of the streams.
    var opening: StreamOpening?
    /// Reads the body, up to `limit` bytes.
    let body: (_ limit: Int) -> Body
    /// The time when nginx forwarded it, in seconds since 1970. Nil if nginx sends no timestamp.
    var forwardedAt: Double?
}

extension Incoming {
    /// The input of the endpoint. Texts for the audit are bounded here, because the database stores them directly.
    func call(organization: String, patientID: String?, body: [UInt8], claims: Claims) -> Call {
        var call = Call(
            organization: organization, subject: claims.subject, patientID: patientID, request: request, body: body)
        call.sessionID = AuditText.bounded(claims.sessionID)
        call.role = AuditText.bounded(claims.organizationRole)
        call.actor = AuditText.bounded(claims.actor)
        call.address = AuditText.bounded(address)
        (call.requestID, call.serverRequestID) = (requestID, serverRequestID)
        return call
    }

    /// True if a program on nginx's machine sent it, and not a proxy there for another client. A proxy is recognized by
    /// a header, or by the Host that its client used (nginx/snippets/security/passed-on.conf).
    var isFromThisMachine: Bool {
        guard let address, !isForwarded, Self.isLoopback(address) else { return false }
        guard let name = host?.split(separator: ":", omittingEmptySubsequences: false), let first = name.first else {
            return true
        }
        return host?.hasPrefix("[::1]") == true
            || name.count <= 2 && (first == "localhost" || Self.isLoopback(String(first)))
    }

    /// Checks every character, because a host name may begin with 127 too.
    private static func isLoopback(_ address: String) -> Bool {
        let mapped = "::ffff:"
        let plain = address.hasPrefix(mapped) ? address.dropFirst(mapped.count) : address[...]
        return plain == "::1"
            || plain.hasPrefix("127.") && plain.utf8.allSatisfy { (0x2E...0x39).contains($0) && $0 != 0x2F }
    }
}
