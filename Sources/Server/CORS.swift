import API

/// The origins of pages that may read responses (WHATWG Fetch, section 3.2).
struct CORS: Sendable {
    private let allowedOrigins: Set<[UInt8]>

    init(allowedOrigins: [String]) { self.allowedOrigins = Set(allowedOrigins.map { Array($0.utf8) }) }

    /// True if pages of the origin may read responses.
    func allows(_ origin: [UInt8]) -> Bool { allowedOrigins.contains(origin) }

    /// The CORS headers of a response to a request from `origin`.
    func headers(origin: [UInt8]?) -> [Header] {
        guard !allowedOrigins.isEmpty else { return [] }
        // Caches must not send one origin's response to another, so every response has this header.
        let vary = Header("Vary", "Origin")
        guard let origin, allowedOrigins.contains(origin) else { return [vary] }
        return [
            vary,
            Header("Access-Control-Allow-Origin", String(decoding: origin, as: UTF8.self)),
            Header("Access-Control-Expose-Headers", "X-Request-Id, Retry-After, Server-Timing"),
        ]
    }

    /// The headers of a preflight's response in addition to ``headers(origin:)``. Nil if the origin is not allowed.
    ///
    /// nginx/snippets/api/preflight.conf sends the same without the server.
    func preflightHeaders(_ preflight: Preflight, origin: [UInt8]?) -> [Header]? {
        guard let origin, allowedOrigins.contains(origin) else { return nil }
        var headers = [
            Header("Access-Control-Allow-Methods", Route.methods),
            Header("Access-Control-Allow-Headers", Self.ownHeaders + (preflight.names.map { ", " + $0 } ?? "")),
            Header("Access-Control-Max-Age", "600"),
        ]
        if preflight.isOfPrivateNetwork { headers.append(Header("Access-Control-Allow-Private-Network", "true")) }
        return headers
    }

    /// The headers that the API reads. All are listed, so that a browser can reuse the response for other requests.
    private static let ownHeaders = "Authorization, Content-Type, Idempotency-Key, X-Request-Id"
}

/// A preflight request, which a browser sends before a page's request (WHATWG Fetch, section 4.8).
struct Preflight: Sendable {
    /// The headers that the page wants to send. Nil if they are too long or not a list of tokens (RFC 9110
    /// section 5.6.1).
    let names: String?
    /// True if the page is from a more public network than this server (Private Network Access, section 3.1).
    let isOfPrivateNetwork: Bool

    private static let longestList = 2048

    init(requestedHeaders: [UInt8]? = nil, privateNetwork: [UInt8]? = nil) {
        names = requestedHeaders.flatMap { Self.isList($0) ? String(decoding: $0, as: UTF8.self) : nil }
        isOfPrivateNetwork = privateNetwork?.elementsEqual("true".utf8) ?? false
    }

    private static func isList(_ bytes: [UInt8]) -> Bool {
        (1...longestList).contains(bytes.count)
            && bytes.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).allSatisfy { item in
                let isBlank = { (byte: UInt8) in byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
                return item.drop(while: isBlank).reversed().drop(while: isBlank).allSatisfy(isTokenCharacter)
            }
    }

    /// RFC 9110 section 5.6.2.
    private static func isTokenCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
