/// Verifies session tokens and returns their claims.
///
///     let verifier = Verifier(keys: keys, policy: Policy(issuer: "https://clerk.example.com"))
///     let claims = try verifier.verify(token, at: TokenTime(now))
///     claims.isActive(in: "org_1")
///
/// It is synchronous and safe to call from any number of threads.
public final class Verifier: Sendable {
    private let keys: KeySet
    private let policy: Policy
    private let denied: DenyList?
    private let cache: VerifiedTokenCache

    /// A verifier that uses the current keys of `keys`.
    ///
    /// - Parameters:
    ///   - denied: the subjects and sessions whose tokens are refused.
    ///   - cacheCapacity: the largest number of cached tokens.
    public init(keys: KeySet, policy: Policy, denied: DenyList? = nil, cacheCapacity: Int = 10_000) {
        self.keys = keys
        self.policy = policy
        self.denied = denied
        cache = VerifiedTokenCache(capacity: cacheCapacity)
    }

    /// The cache's hits, misses and evictions, its number of tokens and their approximate bytes.
    public var cacheStatistics: (hits: Int, misses: Int, evictions: Int, tokens: Int, bytes: Int) {
        let statistics = cache.statistics
        return (statistics.hits, statistics.misses, statistics.evictions, statistics.tokens, statistics.bytes)
    }

    /// Verifies `token`, the credential without its scheme, and returns its claims.
    public func verify(_ token: String, at time: TokenTime) throws(TokenError) -> Claims {
        // The length is checked before the text is copied.
        guard token.utf8.count <= CompactToken.maximumLength else { throw .invalid(.tooLong) }
        return try verify(Array(token.utf8), at: time)
    }

    /// Verifies `token`, the credential without its scheme, and returns its claims.
    ///
    /// - Parameter mayWait: whether to wait for a key that is being fetched. If false, the call throws
    ///   ``TokenError/keyNotYetFetched`` instead.
    public func verify(_ token: [UInt8], at time: TokenTime, mayWait: Bool = true) throws(TokenError) -> Claims {
        guard token.count <= CompactToken.maximumLength else { throw .invalid(.tooLong) }
        if let claims = cache.claims(
            of: token, generation: keys.generation, isCurrent: { isCurrent($0, at: time) })
        {
            return claims
        }
        let compact = try CompactToken(token)
        let (keys, generation) = try keys.keys(named: compact.header.keyID, mayWait: mayWait)
        guard keys.contains(where: compact.isSigned(by:)) else { throw .invalid(.signature) }
        let claims = try policy.claims(of: compact.payload, at: time)
        if let denied, denied.refuses(claims) { throw .invalid(.denied) }
        cache.insert(token, claims: claims, generation: generation, now: time.now)
        return claims
    }

    /// True if a cached token is still valid without the full check. An expired one always gets the full check.
    private func isCurrent(_ claims: Claims, at time: TokenTime) -> Bool {
        guard time.now < claims.expiresAt, !keys.isTooOld, denied.map({ !$0.refuses(claims) }) ?? true else {
            return false
        }
        do {
            try policy.checkTimes(of: claims, at: time)
            return true
        } catch {
            return false
        }
    }
}
