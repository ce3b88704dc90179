import CPostgreSQL
import Glibc

/// Reduces libpq's messages to known texts, which may be logged.
///
/// libpq quotes hosts, users, files and values. If it misreads a connection string, such as one with a raw `@` in its
/// password, it quotes a part of the password.
enum LibpqMessage {
    /// The message without the parts that it quotes.
    static func reason(_ message: String) -> String {
        var reasons: [String] = []
        // libpq writes one line for each address that it tried.
        for line in message.split(separator: "\n") {
            guard let reason = reason(inLine: line), !reasons.contains(reason) else { continue }
            reasons.append(reason)
        }
        return reasons.isEmpty
            ? "libpq gives a reason that may quote a secret; psql shows it" : reasons.joined(separator: ", ")
    }

    /// The code with which PostgreSQL refused a session, at one of several addresses. Nil if it refused none.
    static func state(_ message: String) -> SQLState? {
        message.split(separator: "\n").lazy.compactMap { state(endingLine: $0) }.first.map { SQLState($0) }
    }

    private static func reason(inLine line: Substring) -> String? {
        if let state = state(endingLine: line) {
            let meaning = meanings[state].map { ": \($0)" } ?? ""
            return "PostgreSQL refused the session (\(state)\(meaning))"
        }
        return words.first { line.contains($0.part) }?.reason
    }

    /// The SQLSTATE at the end of a line, which `PQERRORS_SQLSTATE` adds if PostgreSQL itself refused.
    private static func state(endingLine line: Substring) -> String? {
        let code = line.suffix(5)
        let isCode = code.count == 5 && code.utf8.allSatisfy { isDigit($0) || (65...90).contains($0) }
        return isCode && line.dropLast(5).hasSuffix(":  ") ? String(code) : nil
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }

    /// Codes that are common when a session is opened (PostgreSQL documentation, appendix A).
    private static let meanings = [
        "08P01": "protocol violation", "22023": "a setting such as DATABASE_ROLE has no such value",
        "28000": "the login is not allowed", "28P01": "user or password are wrong", "3D000": "no such database",
        "42501": "no right, perhaps to become DATABASE_ROLE", "42704": "a setting is unknown",
        "53300": "too many connections", "57P01": "it is stopping", "57P03": "it is starting, stopping or recovering",
    ]

    /// Parts of libpq's messages with the text to log. The first match counts, so specific parts precede general ones.
    private static let words: [(part: String, reason: String)] =
        libpq
        + resolving.map { code in
            let text = String(cString: gai_strerror(code))
            return (text, "the host's name cannot be resolved: \(text)")
        } + system.map { String(cString: strerror($0)) }.map { ($0, $0) }

    private static let resolving = [EAI_NONAME, EAI_AGAIN, EAI_FAIL, EAI_FAMILY, EAI_MEMORY, EAI_SYSTEM]

    private static let system = [
        ECONNREFUSED, ECONNRESET, ECONNABORTED, EHOSTUNREACH, EHOSTDOWN, ENETUNREACH, ENETDOWN, ETIMEDOUT, ENOENT,
        EACCES, EPERM, EPIPE, EADDRNOTAVAIL, EAFNOSUPPORT, EMFILE, ENFILE, ENOBUFS,
    ]

    private static let libpq: [(part: String, reason: String)] =
        [
            ("server certificate for", "the server's certificate is for another host"),
            ("host name must be specified", "verify-full needs a host's name"),
            ("root certificate file", "the file of sslrootcert cannot be used"),
            ("private key file", "the file of sslkey cannot be used"),
            ("certificate file", "the file of sslcert cannot be used"),
        ]
        + [
            "server closed the connection unexpectedly", "SSL connection has been closed unexpectedly",
            "certificate verify failed", "server does not support SSL, but SSL was required",
            "server sent an error response during SSL exchange", "received invalid response to SSL negotiation",
            "wrong version number", "unsupported protocol", "no protocols available",
            "tlsv13 alert certificate required",
            "alert unknown ca", "alert handshake failure", "session is not read-only", "session is read-only",
            "server is not in hot standby mode", "server is in hot standby mode", "no password supplied",
            "GSSAPI encryption required but was impossible", "channel binding required", "timeout expired",
            "expected authentication request from server", "authentication method", "authentication required",
            "no connection to the server", "lost synchronization with server", "out of memory",
        ].map { ($0, $0) }
}
