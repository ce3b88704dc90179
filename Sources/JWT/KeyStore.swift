import Synchronization
internal import Threads

/// The keys in force, how often they have changed, and when they were last read.
final class KeyStore: Sendable {
    struct Current: Sendable {
        var keys: SigningKeys?
        var generation: UInt64 = 0
    }

    private let state: Monitor<Current>
    // Outside the lock, since each request reads them.
    private let currentGeneration = Atomic<UInt64>(0)
    /// When they were last read, in nanoseconds since `start`.
    private let read = Atomic<Int64>(0)
    private let start = ContinuousClock.now
    /// How long they stay valid without being read again; nil without limit.
    private let longest: Duration?

    /// - Parameter longest: how long keys stay valid while they cannot be read again (running.md, `KEYS_MAX_AGE`); nil
    ///   if they are never read again.
    init(keys: SigningKeys?, longest: Duration? = nil) {
        state = Monitor(Current(keys: keys))
        self.longest = longest
    }

    /// Keys and generation that belong together.
    var current: Current { state.withLock { $0 } }

    /// Rises with each change of the keys.
    var generation: UInt64 { currentGeneration.load(ordering: .acquiring) }

    /// Since they were last read, or since the start.
    var age: Duration {
        longest == nil ? .zero : start.duration(to: .now) - .nanoseconds(read.load(ordering: .relaxed))
    }

    /// Whether they have not been read for so long that they may have been withdrawn since.
    var isTooOld: Bool { longest.map { age > $0 } ?? false }

    /// When they will be too old, unless they are read again.
    var goodUntil: ContinuousClock.Instant? {
        longest.map { start + .nanoseconds(read.load(ordering: .relaxed)) + $0 }
    }

    /// Puts keys in force that were just read; false if they are in force already.
    func replace(with keys: SigningKeys) -> Bool {
        // Before they are in force, so that no request finds new keys too old.
        read.store(Int64(start.duration(to: .now) / .nanoseconds(1)), ordering: .relaxed)
        return state.withLock { current in
            guard current.keys != keys else { return false }
            current = Current(keys: keys, generation: current.generation + 1)
            currentGeneration.store(current.generation, ordering: .releasing)
            return true
        }
    }
}
