import Synchronization
internal import Threads

/// Tokens whose signature was verified, so that a session's next request need not pay for it again.
///
/// A fixed number of buckets of a few slots each: bounded in number and in bytes, a lock for each bucket, and no work
/// under any of them that grows. A full bucket gives up the token that was not used for the longest time. Of a token its
/// digest alone is kept, whatever its length, and none beyond its `exp`: each one that is added has another bucket
/// looked through for such as have ended.
final class VerifiedTokenCache: Sendable {
    /// What there is, and what came of looking since the start.
    struct Statistics: Equatable {
        var hits = 0
        var misses = 0
        var evictions = 0
        var tokens = 0
        var bytes = 0
    }

    /// Enough for the buckets to fill evenly, few enough to look through in a fraction of a microsecond.
    private static let slotsPerBucket = 16
    /// Twice what as many usual tokens take.
    private static let bytesPerSlot = 840

    private let buckets: [Bucket]
    private let hash: @Sendable ([UInt8]) -> Int
    private let hits = Atomic<Int>(0)
    private let misses = Atomic<Int>(0)
    private let evictions = Atomic<Int>(0)
    private let nextSweep = Atomic<Int>(0)

    /// A cache of at most `capacity` tokens; none where that is 0 or less.
    init(capacity: Int, hash: @escaping @Sendable ([UInt8]) -> Int = VerifiedTokenCache.hash) {
        self.hash = hash
        let slots = min(max(capacity, 0), Self.slotsPerBucket)
        // However few the slots are, the longest claims fit.
        let bytes = max(slots, 8) * Self.bytesPerSlot
        buckets = slots == 0 ? [] : (0..<capacity / slots).map { _ in Bucket(slots: slots, bytes: bytes) }
    }

    var statistics: Statistics {
        var statistics = Statistics(
            hits: hits.load(ordering: .relaxed), misses: misses.load(ordering: .relaxed),
            evictions: evictions.load(ordering: .relaxed))
        for bucket in buckets {
            let (count, bytes) = bucket.contents
            statistics.tokens += count
            statistics.bytes += bytes
        }
        return statistics
    }

    /// The claims of `token`, if it was verified with the keys of `generation` and `isCurrent` holds for them; otherwise
    /// it is forgotten.
    func claims(of token: [UInt8], generation: UInt64, isCurrent: (Claims) -> Bool) -> Claims? {
        guard let bucket = bucket(of: token), let digest = TokenDigest(token), let found = bucket.token(for: digest)
        else {
            misses.add(1, ordering: .relaxed)
            return nil
        }
        guard found.generation == generation, isCurrent(found.claims) else {
            misses.add(1, ordering: .relaxed)
            bucket.remove(found)
            return nil
        }
        hits.add(1, ordering: .relaxed)
        return found.claims
    }

    /// Keeps `claims` for `token`, which was just verified with the keys of `generation`.
    ///
    /// - Parameter now: when tokens have ended, in seconds since 1970.
    func insert(_ token: [UInt8], claims: Claims, generation: UInt64, now: Double) {
        guard claims.expiresAt > now, let bucket = bucket(of: token), let digest = TokenDigest(token) else { return }
        let displaced = bucket.insert(VerifiedToken(digest: digest, claims: claims, generation: generation), now: now)
        // One of earlier keys or that has ended is no loss.
        let lost = displaced.count { $0.generation == generation && $0.claims.expiresAt > now && $0.digest != digest }
        evictions.add(lost, ordering: .relaxed)
        let next = nextSweep.add(1, ordering: .relaxed).oldValue
        buckets[next % buckets.count].forgetEnded(now)
    }

    private func bucket(of token: [UInt8]) -> Bucket? {
        buckets.isEmpty ? nil : buckets[Int(bitPattern: UInt(bitPattern: hash(token)) % UInt(buckets.count))]
    }

    /// Seeded anew in each process; of the signature's end alone, which differs from token to token as much as all
    /// of it, and in one piece, where `Array` hashes byte after byte.
    static func hash(_ token: [UInt8]) -> Int {
        var hasher = Hasher()
        token.withUnsafeBytes { hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: $0.suffix(64))) }
        return hasher.finalize()
    }
}

private final class VerifiedToken: Sendable {
    let digest: TokenDigest
    let claims: Claims
    let generation: UInt64
    /// What it takes of the memory, about.
    let size: Int

    private static let overhead = 256

    init(digest: TokenDigest, claims: Claims, generation: UInt64) {
        self.digest = digest
        self.claims = claims
        self.generation = generation
        size = Self.overhead + claims.size
    }
}

private final class Bucket: Sendable {
    private struct Slot {
        var token: VerifiedToken?
        var lastUse: UInt64 = 0
    }

    private struct State {
        var slots: [Slot]
        var bytes = 0
        var uses: UInt64 = 0

        /// Marks a slot as the one used last.
        mutating func touch(_ index: Int) {
            uses += 1
            slots[index].lastUse = uses
        }

        /// Empties a slot and returns what was there.
        mutating func take(_ index: Int) -> VerifiedToken? {
            guard let token = slots[index].token else { return nil }
            slots[index] = Slot()
            bytes -= token.size
            return token
        }

        mutating func takeAll(where isMeant: (VerifiedToken) -> Bool) -> [VerifiedToken] {
            slots.indices.compactMap { index in slots[index].token.map(isMeant) == true ? take(index) : nil }
        }

        mutating func takeOldest() -> VerifiedToken? {
            slots.indices.filter { slots[$0].token != nil }.min { slots[$0].lastUse < slots[$1].lastUse }.flatMap {
                take($0)
            }
        }
    }

    // Not Synchronization's `Mutex`, which ThreadSanitizer does not see on Linux.
    private let state: Monitor<State>
    private let capacity: Int

    init(slots: Int, bytes: Int) {
        state = Monitor(State(slots: Array(repeating: Slot(), count: slots)))
        capacity = bytes
    }

    var contents: (count: Int, bytes: Int) { state.withLock { ($0.slots.count { $0.token != nil }, $0.bytes) } }

    func token(for digest: TokenDigest) -> VerifiedToken? {
        state.withLock { state in
            guard let index = state.slots.firstIndex(where: { $0.token?.digest == digest }) else { return nil }
            state.touch(index)
            return state.slots[index].token
        }
    }

    /// Puts `token` in and returns what gave way to it, to be freed after the lock.
    func insert(_ token: VerifiedToken, now: Double) -> [VerifiedToken] {
        guard token.size <= capacity else { return [] }
        return state.withLock { state in
            var displaced = state.takeAll { $0.digest == token.digest || $0.claims.expiresAt <= now }
            while state.bytes + token.size > capacity || !state.slots.contains(where: { $0.token == nil }) {
                guard let oldest = state.takeOldest() else { break }
                displaced.append(oldest)
            }
            guard let free = state.slots.firstIndex(where: { $0.token == nil }) else { return displaced }
            state.slots[free].token = token
            state.bytes += token.size
            state.touch(free)
            return displaced
        }
    }

    func remove(_ token: VerifiedToken) { _ = state.withLock { $0.takeAll { $0 === token } } }

    func forgetEnded(_ now: Double) { _ = state.withLock { $0.takeAll { $0.claims.expiresAt <= now } } }
}
