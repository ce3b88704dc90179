internal import Addresses

/// The address of a webhook's receiver, as an administrator has set it.
///
/// It is parsed by the library that connects to it. The addresses behind a name are checked on the connection, since
/// they may change at any time.
public struct WebhookAddress: Sendable {
    /// The reason why a text is not such an address, as a predicate for the caller of the API.
    public struct Invalid: Error, Equatable, Sendable {
        public let text: String
    }

    public let text: String

    /// The most bytes of an address.
    public static let longest = 2000
    private static let ports = ["443", "8443"]

    /// - Parameter allowsPrivate: whether any address and port may be named, with http too (`WEBHOOK_ALLOW_PRIVATE`).
    public init(_ text: String, allowsPrivate: Bool) throws(Invalid) {
        try Self.checkCharacters(text)
        let lower = text.lowercased()
        guard let scheme = ["https://", "http://"].first(where: lower.hasPrefix) else {
            throw Invalid(text: "must begin with https://")
        }
        guard scheme == "https://" || allowsPrivate else { throw Invalid(text: "must begin with https://") }
        let authority = text.dropFirst(scheme.count).prefix { !"/?".contains($0) }
        guard !authority.contains("@") else { throw Invalid(text: "must not contain a user or a password") }
        guard !authority.isEmpty, let parts = URLParts(text), parts.scheme + "://" == scheme, !parts.hasCredentials,
            parts.port != "0"
        else {
            throw Invalid(text: "is not an absolute URL")
        }
        try Self.check(host: parts.host)
        guard !allowsPrivate else {
            self.text = text
            return
        }
        guard Self.ports.contains(parts.port) else { throw Invalid(text: "must have the port 443 or 8443") }
        guard Self.mayBeGlobal(parts.host) else {
            throw Invalid(text: "must have a host that the whole internet can reach")
        }
        self.text = text
    }

    private static func checkCharacters(_ text: String) throws(Invalid) {
        guard (1...longest).contains(text.utf8.count) else {
            throw Invalid(text: "must have 1 to \(longest) bytes")
        }
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\\") }) else {
            throw Invalid(text: "has a character that a URL cannot have (names in other scripts are written xn--…)")
        }
        guard !text.contains("#") else { throw Invalid(text: "must not have a fragment, which no server receives") }
    }

    /// - Parameter host: as the library has decoded it, an IPv6 address in brackets.
    private static func check(host: String) throws(Invalid) {
        if host.hasPrefix("[") {
            guard host.hasSuffix("]"), GlobalAddress.bytes(String(host.dropFirst().dropLast())) != nil else {
                throw Invalid(text: "has brackets around something that is no IPv6 address")
            }
            return
        }
        let allowed = Set("abcdefghijklmnopqrstuvwxyz0123456789-_.".utf8)
        let labels = host.split(separator: ".", omittingEmptySubsequences: false)
        // A name may end with the dot of the root.
        let named = labels.count > 1 && labels.last == "" ? labels.dropLast() : labels[...]
        guard host.utf8.count <= 254, host.utf8.allSatisfy(allowed.contains),
            named.allSatisfy({ (1...63).contains($0.utf8.count) })
        else { throw Invalid(text: "has no host, or one that cannot be") }
    }

    /// False for an address in numbers that is not globally reachable, and for this machine's own name (RFC 6761).
    private static func mayBeGlobal(_ host: String) -> Bool {
        let bare = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        if let bytes = GlobalAddress.bytes(bare) { return GlobalAddress.isGlobal(bytes) }
        let name = bare.hasSuffix(".") ? String(bare.dropLast()) : bare
        if let bytes = GlobalAddress.bytes(name) { return GlobalAddress.isGlobal(bytes) }
        return name != "localhost" && !name.hasSuffix(".localhost")
    }
}
