import API

/// Which other origins' pages may read the answers (WHATWG Fetch, section 3.2).
struct CORS: Sendable {
    private let allowedOrigins: Set<[UInt8]>

    init(allowedOrigins: [String]) { self.allowedOrigins = Set(allowedOrigins.map { Array($0.utf8) }) }

    /// The headers for an answer to a request from `origin`.
    func headers(origin: [UInt8]?) -> [Header] {
        guard !allowedOrigins.isEmpty else { return [] }
        // Caches must not hand one origin's answer to another, so this stands on refused ones too.
        let vary = Header("Vary", "Origin")
        guard let origin, allowedOrigins.contains(origin) else { return [vary] }
        return [
            vary,
            Header("Access-Control-Allow-Origin", String(decoding: origin, as: UTF8.self)),
            Header("Access-Control-Expose-Headers", "X-Request-Id, Retry-After, Server-Timing"),
        ]
    }

    /// What a preflight is told besides ``headers(origin:)``.
    func preflightHeaders(origin: [UInt8]?, allowedMethods: String) -> [Header] {
        guard let origin, allowedOrigins.contains(origin) else { return [] }
        return [
            Header("Access-Control-Allow-Methods", allowedMethods),
            Header("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, X-Request-Id"),
            Header("Access-Control-Max-Age", "600"),
        ]
    }
}
