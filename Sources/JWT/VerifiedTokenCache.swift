import Cache
import Synchronization
import Threads

/// A cache of verified tokens, so that the next request with the same token need not verify it again.
///
/// The cache is bounded in number and in bytes. When it is full, the least recently used token is removed. It stores
/// the digest of a token, not the token. A token is not used after its `exp`. An expired token is removed when it is
/// looked up, or when it is the least recently used one and another is added.
final class VerifiedTokenCache: Sendable {
    /// The contents now, and the counts since the start.
    struct Statistics: Equatable {
        var hits = 0
        var misses = 0
        var evictions = 0
        var tokens = 0
        var bytes = 0
    }

    private typealias Store = RecentlyUsed<TokenDigest, VerifiedToken>

    /// The memory for each token of the capacity, twice that of a typical token's claims.
    private static let bytesPerToken = 840
    /// The least memory, in which the longest claims fit however small the capacity is.
    private static let leastBytes = 8 * bytesPerToken

    // Synchronization's `Mutex` is not used, since ThreadSanitizer does not see it on Linux.
    private let store: Monitor<Store>
    private let hits = Atomic<Int>(0)
    private let misses = Atomic<Int>(0)
    private let evictions = Atomic<Int>(0)

    /// A cache of at most `capacity` tokens.
    init(capacity: Int) {
        store = Monitor(
            Store(mostBytes: max(capacity * Self.bytesPerToken, Self.leastBytes), mostValues: max(capacity, 0)))
    }

    var statistics: Statistics {
        let (tokens, bytes) = store.withLock { ($0.count, $0.bytes) }
        return Statistics(
            hits: hits.load(ordering: .relaxed), misses: misses.load(ordering: .relaxed),
            evictions: evictions.load(ordering: .relaxed), tokens: tokens, bytes: bytes)
    }

    /// The claims of `token` if it was verified with the keys of `generation` and `isCurrent` returns true for them.
    ///
    /// Otherwise the token is removed.
    func claims(of token: [UInt8], generation: UInt64, isCurrent: (Claims) -> Bool) -> Claims? {
        guard let digest = TokenDigest(token), let found = store.withLock({ $0.find(digest) }) else {
            misses.add(1, ordering: .relaxed)
            return nil
        }
        guard found.generation == generation, isCurrent(found.claims) else {
            misses.add(1, ordering: .relaxed)
            // The removed token is freed outside the lock.
            _ = store.withLock { $0.remove(digest) { $0 === found } }
            return nil
        }
        hits.add(1, ordering: .relaxed)
        return found.claims
    }

    /// Stores the claims of `token`, which was just verified with the keys of `generation`.
    ///
    /// - Parameter now: seconds since 1970. Tokens that have expired by then are removed.
    func insert(_ token: [UInt8], claims: Claims, generation: UInt64, now: Double) {
        guard claims.expiresAt > now, let digest = TokenDigest(token) else { return }
        let token = VerifiedToken(claims: claims, generation: generation)
        let removed = store.withLock { store in
            var removed: [VerifiedToken] = []
            while let expired = store.removeOldest(where: { $0.claims.expiresAt <= now }) { removed.append(expired) }
            return removed + store.insert(token, for: digest, size: token.size).removed
        }
        // The removal of a token that has expired, or was verified with earlier keys, is not an eviction.
        let lost = removed.count { $0.generation == generation && $0.claims.expiresAt > now }
        evictions.add(lost, ordering: .relaxed)
    }
}

private final class VerifiedToken: Sendable {
    let claims: Claims
    let generation: UInt64

    /// An estimate of the bytes for the digest, the object and its entries in the store.
    private static let overhead = 256

    /// The approximate memory of the token, in bytes.
    var size: Int { Self.overhead + claims.size }

    init(claims: Claims, generation: UInt64) { (self.claims, self.generation) = (claims, generation) }
}
