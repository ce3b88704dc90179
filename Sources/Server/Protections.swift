import FastCGI
import PostgreSQL

/// A protection that a variable can turn off. Its raw value is its name in the metric.
enum Protection: String, CaseIterable, Sendable {
    case audit
    case rateLimit = "rate_limit"
    case issuerTLS = "issuer_tls"
    /// Tokens are accepted only from a production issuer.
    case productionIssuer = "production_issuer"
    case databaseTLS = "database_tls"
    case login
    case tokenLifetime = "token_lifetime"
    case listenAll = "listen_all"
}

/// A protection that is off, with its reason as one line for the log and the operator.
struct ProtectionOff: Equatable, Sendable {
    let protection: Protection
    let text: String

    init(_ protection: Protection, _ text: String) { (self.protection, self.text) = (protection, text) }
}

extension Configuration {
    /// All protections that are off, for the start, `--check-config` and a metric (docs/running.md, "Environment").
    var protectionsOff: [ProtectionOff] {
        var off: [ProtectionOff] = []
        if !isAudited { off.append(.init(.audit, "AUDIT is off: only outreach attempts are recorded")) }
        if rateLimit == 0 { off.append(.init(.rateLimit, "RATE_LIMIT is 0: the requests of a user are not limited")) }
        if tokenMaxLifetime == 0 {
            off.append(.init(.tokenLifetime, "TOKEN_MAX_LIFETIME is 0: the lifetime of tokens is not limited"))
        }
        if issuer.hasPrefix("http:") {
            off.append(.init(.issuerTLS, "CLERK_ISSUER is an http address: its tokens are for development"))
        }
        if let reason = Issuer.development(issuer) { off.append(.init(.productionIssuer, "CLERK_ISSUER \(reason)")) }
        if let mode = connection.uncheckedTransport {
            off.append(
                .init(
                    .databaseTLS,
                    "DATABASE_URL leads over a network with sslmode=\(mode), which does not verify the identity of the database"
                ))
        }
        if databaseLogin == .any {
            off.append(.init(.login, "DATABASE_LOGIN is any: a login that could leave DATABASE_ROLE is accepted"))
        }
        if Self.isOnAllAddresses(liveListen) {
            off.append(
                .init(
                    .listenAll,
                    "LIVE_LISTEN is every address of this machine: a client that reaches it can send any caller's address"
                ))
        }
        if Self.isOnAllAddresses(listen) {
            off.append(
                .init(
                    .listenAll,
                    "FCGI_LISTEN is every address of this machine: a client that reaches it can send any caller's address"
                ))
        }
        return off
    }

    /// The summary of `--check-config`.
    var verdict: String {
        guard let reason = Issuer.development(issuer) else { return "The configuration is valid." }
        return "The configuration is valid for development and not for production: CLERK_ISSUER \(reason)"
    }

    private static func isOnAllAddresses(_ listen: Listen) -> Bool {
        switch listen {
        case .address(.tcp(let host, _)): ListenAddress.isEverywhere(host)
        case .address(.unix): false
        case .inherited(let descriptor): ListenAddress.isEverywhere(descriptor: descriptor)
        }
    }
}
