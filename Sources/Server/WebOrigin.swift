import Glibc

/// The reason why a text is not an origin, as a predicate without the text itself.
struct OriginError: Error {
    let text: String
}

/// The origin of a web page in the form that browsers write: lower case, without a path or a default port.
///
/// Only this form can equal an `Origin` header or a token's `azp` (WHATWG URL, sections 3.5 and 4.7; HTML, 7.1.1).
struct WebOrigin {
    let scheme: String
    /// An IPv6 address without its brackets.
    let host: String

    /// The schemes of pages, browser extensions, and frameworks for mobile and desktop apps.
    private static let schemes = [
        "https", "http", "chrome-extension", "moz-extension", "safari-web-extension", "capacitor", "ionic", "tauri",
    ]
    private static let defaultPorts = ["https": "443", "http": "80"]

    init(_ text: String) throws(OriginError) {
        guard !text.contains("*") else { throw OriginError(text: "is a wildcard, where each origin is to be named") }
        guard let mark = text.firstRange(of: "://") else {
            throw OriginError(text: "does not begin with https:// or http://")
        }
        scheme = String(text[..<mark.lowerBound])
        guard Self.schemes.contains(scheme) else { throw OriginError(text: "has a scheme that no page has") }
        let rest = text[mark.upperBound...]
        guard !rest.contains("@") else { throw OriginError(text: "holds an @") }
        if let end = rest.firstIndex(where: { "/?#\\".contains($0) }) {
            throw OriginError(text: rest[end...] == "/" ? "ends with a slash" : "has a path or a query")
        }
        let isBracketed = rest.hasPrefix("[")
        let bracket = isBracketed ? rest.firstIndex(of: "]") : nil
        let end = bracket.map { rest.index(after: $0) } ?? rest.firstIndex(of: ":") ?? rest.endIndex
        host = String(isBracketed ? rest[..<end].dropFirst().dropLast() : rest[..<end])
        try Self.check(host: host, isBracketed: isBracketed)
        try Self.check(port: rest[end...], defaultPort: Self.defaultPorts[scheme])
    }

    /// True if it is this machine without any name server (RFC 6761, section 6.3).
    var isLoopback: Bool {
        host == "localhost" || host.hasSuffix(".localhost") || host == "::1"
            || host.hasPrefix("127.") && Self.isAddress(host, AF_INET)
    }

    private static func check(host: String, isBracketed: Bool) throws(OriginError) {
        guard host == host.lowercased() else {
            throw OriginError(text: "has capital letters, which browsers make small")
        }
        if isBracketed {
            guard isAddress(host, AF_INET6) else {
                throw OriginError(text: "has brackets around what is no IPv6 address")
            }
            return
        }
        let allowed = Set("abcdefghijklmnopqrstuvwxyz0123456789-_.".utf8)
        guard host.utf8.allSatisfy(allowed.contains) else {
            throw OriginError(
                text: "has a character that a host cannot have (names in other scripts are written xn--…)")
        }
        let labels = host.split(separator: ".", omittingEmptySubsequences: false)
        guard labels.allSatisfy({ !$0.isEmpty }) else {
            throw OriginError(text: "has no host, or one with an empty part")
        }
        // Browsers parse a name that ends with a number as an IPv4 address.
        let isNumber = labels.last.map { Int($0) != nil || $0.hasPrefix("0x") } ?? false
        guard !isNumber || isAddress(host, AF_INET) else {
            throw OriginError(text: "has a host that ends with a number and is no IPv4 address")
        }
    }

    private static func check(port: Substring, defaultPort: String?) throws(OriginError) {
        guard !port.isEmpty else { return }
        let digits = String(port.dropFirst())
        guard port.hasPrefix(":"), let number = UInt16(digits), number > 0, String(number) == digits else {
            throw OriginError(text: "has a port that is not a number from 1 to 65535")
        }
        guard digits != defaultPort else {
            throw OriginError(text: "names its scheme's default port, which browsers leave out")
        }
    }

    private static func isAddress(_ text: String, _ family: CInt) -> Bool {
        var address = in6_addr()
        return inet_pton(family, text, &address) == 1
    }
}

/// The checks of the issuer in `iss`: the address of Clerk's frontend API, which may be a proxy with a path.
enum Issuer {
    /// The reason why a valid issuer is for development, as a predicate without the issuer.
    ///
    /// Nil if it is for production.
    static func development(_ text: String) -> String? {
        let origin = text.firstRange(of: "://").map {
            text[..<$0.upperBound] + text[$0.upperBound...].prefix { $0 != "/" }
        }
        guard let origin = try? WebOrigin(String(origin ?? "")) else { return nil }
        if origin.isLoopback {
            return "names this machine: with its key, which `make up` creates, anyone can sign in as any user"
        }
        return origin.host.hasSuffix(".accounts.dev") ? "is a development instance of Clerk's" : nil
    }

    /// The reason why `text` cannot be an issuer, as a predicate without the text. Nil if it can.
    static func problem(in text: String) -> String? {
        let example = "it is written as in the tokens' iss, such as https://clerk.example.com"
        guard let mark = text.firstRange(of: "://") else { return "does not begin with https://; \(example)" }
        let path = text[mark.upperBound...].drop { $0 != "/" }
        guard path.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), !path.contains(where: { "?#\\".contains($0) })
        else {
            return "has a query, a fragment or a space; \(example)"
        }
        guard !path.hasSuffix("/") else {
            return "ends with a slash, which the iss of Clerk's tokens does not; \(example)"
        }
        do throws(OriginError) {
            let origin = try WebOrigin(String(text.dropLast(path.count)))
            guard origin.scheme == "https" || origin.scheme == "http" && origin.isLoopback else {
                return "must be an https address, or an http one of this machine; \(example)"
            }
            return nil
        } catch {
            return "\(error.text); \(example)"
        }
    }
}
