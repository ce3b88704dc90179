import API
import JWT

/// A request as nginx forwarded it: the HTTP request, what nginx adds to it, and the body still unread.
struct Incoming {
    enum Body {
        case complete([UInt8])
        case tooLarge
        case incomplete
    }

    let request: Request
    let requestID: String
    /// The server's own id of the request, which no caller chooses.
    let serverRequestID = RequestID.random()
    /// Whether a timer of the page sent it and no person; only marks its audit entry.
    var isAutomatic = false
    let authorization: [UInt8]?
    let origin: [UInt8]?
    /// Its content as a preflight.
    var preflight = Preflight()
    /// The address of nginx's client.
    let address: String?
    /// Whether a header that is not read is longer than ``Pipeline/headerLimit``.
    var hasLongHeader = false
    /// Whether a header shows that a proxy in front of nginx forwarded the request.
    var isPassedOn = false
    /// The scheme and the Host that the client used.
    var scheme: String?
    var host: String?
    /// About how many bytes it takes in memory at most.
    var size = 0
    /// Reads at most so many bytes of the body.
    let body: (_ limit: Int) -> Body
    /// When nginx forwarded it, in seconds since 1970; nil where it sends no stamp.
    var handedOver: Double?
}

extension Incoming {
    /// The request as an endpoint sees it. The audit's texts are bounded here, since the database stores them.
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

    /// Whether a program on nginx's own machine sent it, and not a proxy there that forwards requests of others. A
    /// proxy shows in a header, or in the Host that its client used (nginx/snippets/security/passed-on.conf).
    var isFromThisMachine: Bool {
        guard let address, !isPassedOn, Self.isLoopback(address) else { return false }
        guard let name = host?.split(separator: ":", omittingEmptySubsequences: false), let first = name.first else {
            return true
        }
        return host?.hasPrefix("[::1]") == true
            || name.count <= 2 && (first == "localhost" || Self.isLoopback(String(first)))
    }

    /// Checks all digits, since a name may begin with 127 too.
    private static func isLoopback(_ address: String) -> Bool {
        let mapped = "::ffff:"
        let plain = address.hasPrefix(mapped) ? address.dropFirst(mapped.count) : address[...]
        return plain == "::1"
            || plain.hasPrefix("127.") && plain.utf8.allSatisfy { (0x2E...0x39).contains($0) && $0 != 0x2F }
    }
}
