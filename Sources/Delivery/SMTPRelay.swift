internal import Addresses

/// A mail relay, from `SMTP_URL`.
public struct SMTPRelay: Equatable, Sendable {
    /// For libcurl: the scheme and the host, and the port if one was given.
    let url: String
    /// Whether TLS begins with the connection (`smtps`).
    let isImplicitTLS: Bool
    /// Whether it is this machine. Only such a relay may lack TLS.
    let isLoopback: Bool
    var username: String?
    var password: String?

    /// The forms of a relay, for the operator.
    public static let forms = "smtp://host, smtps://host (each with :port where it is not 25 or 465), or outbox:DIR"

    /// - Returns: nil if the text is not `smtp://host[:port]` or `smtps://host[:port]`.
    public init?(_ text: String) {
        guard let scheme = ["smtp://", "smtps://"].first(where: text.lowercased().hasPrefix) else { return nil }
        var authority = text.dropFirst(scheme.count)
        if authority.hasSuffix("/") { authority = authority.dropLast() }
        guard !authority.isEmpty, authority.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
            !authority.contains(where: { "/?#@\\".contains($0) }),
            let parts = URLParts(scheme + authority), !parts.hasCredentials, parts.port != "0"
        else { return nil }
        url = scheme + authority
        isImplicitTLS = scheme == "smtps://"
        let bare = parts.host.hasPrefix("[") ? String(parts.host.dropFirst().dropLast()) : parts.host
        isLoopback =
            GlobalAddress.bytes(bare).map { ConnectedAddress(bytes: $0, port: 0).isLoopback }
            ?? (bare == "localhost" || bare.hasSuffix(".localhost"))
    }

    /// The relay with a login.
    public func loggingIn(username: String, password: String) -> SMTPRelay {
        var relay = self
        (relay.username, relay.password) = (username, password)
        return relay
    }
}
