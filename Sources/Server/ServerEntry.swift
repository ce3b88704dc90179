import Glibc
import JWT

/// The audit entries of a server's start and stop, with its audit setting. They make a time without records visible in
/// the audit, for each of several servers.
struct ServerEntry {
    enum Event: String {
        case begins, ends
    }

    /// The server request id of both entries of one run.
    private let run = RequestID.random()
    let isAudited: Bool
    /// The listening socket. Together with the host's name it identifies the server.
    let listen: String

    /// No request has this method, so its entry cannot be confused with a request's.
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
