import Glibc
import JWT

/// That a server began or ended, and whether it recorded what it answered: so that a time without the audit is in the
/// audit, of each of several servers.
struct ServerEntry {
    enum Event: String {
        case begins, ends
    }

    /// Both entries of one run have it as the id of the server's own.
    private let run = RequestID.random()
    let isAudited: Bool
    /// Where it answers, which with the host's name tells one server from another.
    let listen: String

    /// No request is answered to this method, so that no entry of one can be taken for it.
    static let method = "SERVER"

    func entry(_ event: Event) -> AuditEntry {
        AuditEntry(
            time: wallClock(), status: 0, principal: Principal(Claims(subject: "reengagement-api", expiresAt: 0)),
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
