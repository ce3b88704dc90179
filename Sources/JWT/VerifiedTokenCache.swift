import Glibc
import Synchronization
internal import Threads

/// Tokens whose signature was verified, so that a session's next request need not pay for it again.
///
/// A fixed number of buckets of a few slots each: bounded in number, a lock for each bucket, and no work
/// under any of them that grows. A full bucket gives up the token that was not used for the longest time.
final class VerifiedTokenCache: Sendable {
    /// Enough for the buckets to fill evenly, few enough to look through in a fraction of a microsecond.
    private static let slotsPerBucket = 16

    private let buckets: [Bucket]
    private let hash: @Sendable ([UInt8]) -> Int
    private let hits = Atomic<Int>(0)
    private let misses = Atomic<Int>(0)
    private let evictions = Atomic<Int>(0)

    /// A cache of at most `capacity` tokens; none where that is 0 or less.
    init(capacity: Int, hash: @escaping @Sendable ([UInt8]) -> Int = Key.hash) {
        self.hash = hash
        let slots = min(max(capacity, 0), Self.slotsPerBucket)
        buckets = slots == 0 ? [] : (0..<capacity / slots).map { _ in Bucket(slots: slots) }
    }

    var statistics: (hits: Int, misses: Int, evictions: Int) {
        (hits.load(ordering: .relaxed), misses.load(ordering: .relaxed), evictions.load(ordering: .relaxed))
    }

    var count: Int { buckets.reduce(0) { $0 + $1.count } }

    /// The claims of `token`, if it was verified with the keys of `generation` and `isCurrent` holds for them.
    func claims(of token: [UInt8], generation: UInt64, isCurrent: (Claims) -> Bool) -> Claims? {
        let key = Key(hash: hash(token), token: token)
        let found = bucket(for: key)?.token(for: key)
        guard let found, found.generation == generation, isCurrent(found.claims) else {
            misses.add(1, ordering: .relaxed)
            return nil
        }
        hits.add(1, ordering: .relaxed)
        return found.claims
    }

    /// Keeps `claims` for `token`, which was just verified with the keys of `generation`.
    func insert(_ token: [UInt8], claims: Claims, generation: UInt64) {
        let key = Key(hash: hash(token), token: token)
        let entry = VerifiedToken(key: key, claims: claims, generation: generation)
        guard let displaced = bucket(for: key)?.insert(entry) else { return }
        // An entry of earlier keys is no loss.
        if displaced.generation == generation, displaced.key != key { evictions.add(1, ordering: .relaxed) }
    }

    private func bucket(for key: Key) -> Bucket? {
        buckets.isEmpty ? nil : buckets[Int(bitPattern: UInt(bitPattern: key.hash) % UInt(buckets.count))]
    }
}

/// The whole token; the hash, computed before any lock is taken, only finds the bucket and spares comparisons.
private struct Key: Equatable, Sendable {
    let hash: Int
    let token: [UInt8]

    static func == (a: Key, b: Key) -> Bool {
        guard a.hash == b.hash, a.token.count == b.token.count else { return false }
        return a.token.withUnsafeBytes { a in
            b.token.withUnsafeBytes { b in
                guard let first = a.baseAddress, let second = b.baseAddress else { return true }
                return memcmp(first, second, a.count) == 0
            }
        }
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
    let key: Key
    let claims: Claims
    let generation: UInt64

    init(key: Key, claims: Claims, generation: UInt64) {
        self.key = key
        self.claims = claims
        self.generation = generation
    }
}

private final class Bucket: Sendable {
    private struct Slot {
        var token: VerifiedToken?
        var lastUse: UInt64 = 0
    }

    private struct State {
        var slots: [Slot]
        var uses: UInt64 = 0

        /// Marks a slot as the one used last.
        mutating func touch(_ index: Int) {
            uses += 1
            slots[index].lastUse = uses
        }
    }

    // Not Synchronization's `Mutex`, which ThreadSanitizer does not see on Linux.
    private let state: Monitor<State>

    init(slots: Int) {
        state = Monitor(State(slots: Array(repeating: Slot(), count: slots)))
    }

    var count: Int { state.withLock { $0.slots.count { $0.token != nil } } }

    func token(for key: Key) -> VerifiedToken? {
        state.withLock { state in
            guard let index = state.slots.firstIndex(where: { $0.token?.key == key }) else { return nil }
            state.touch(index)
            return state.slots[index].token
        }
    }

    /// Puts `token` into its own, an empty or the longest unused slot and returns what was there, to be freed
    /// after the lock.
    func insert(_ token: VerifiedToken) -> VerifiedToken? {
        state.withLock { state in
            let own = state.slots.firstIndex { $0.token?.key == token.key }
            guard let index = own ?? state.slots.indices.min(by: { state.slots[$0].lastUse < state.slots[$1].lastUse })
            else { return nil }
            let displaced = state.slots[index].token
            state.slots[index].token = token
            state.touch(index)
            return displaced
        }
    }
}
