import Glibc
import JWT

/// The start or the end of a server in the audit, and whether it records responses. So a time without records is
/// visible in the audit, for each of several servers.
struct ServerEntry {
    enum Event: String {
        case begins, ends
    }

    /// Both entries of one run have it as the id of the server's own.
    private let run = RequestID.random()
    let isAudited: Bool
    /// The socket, which with the host's name identifies the server.
    let listen: String

    /// No request has this method, so no request's entry can be confused with it.
    static let method = "SERVER"

    func entry(_ event: Event) -> AuditEntry {
        AuditEntry(
            time: wallClock(), status: 0, claims: Claims(subject: "reengagement-api", expiresAt: 0),
            address: nil, requestID: run, serverRequestID: run, method: Self.method, route: "audit",
            filter: [
                ("event", event.rawValue), ("audit", isAudited ? "on" : "off"), ("host", AuditText.bounded(Self.host)),
                ("listen", AuditText.bounded(listen)), ("pid", String(getpid())), ("version", serverVersion),
            ])
    }

    private static var host: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "unknown" }
        return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
