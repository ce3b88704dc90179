import Synchronization
internal import Threads

/// The keys in force, how often they have changed, and when they were last read.
final class KeyStore: Sendable {
    struct Current: Sendable {
        var keys: SigningKeys?
        var generation: UInt64 = 0
    }

    private let state: Monitor<Current>
    // Atomic and outside the lock, since each request reads them.
    private let currentGeneration = Atomic<UInt64>(0)
    /// The time of the last reading, in nanoseconds since `start`.
    private let read = Atomic<Int64>(0)
    private let start = ContinuousClock.now
    /// How long keys stay valid without being read again. Nil for no limit.
    private let longest: Duration?

    /// - Parameter longest: how long keys stay valid while they cannot be read again (docs/running.md, `KEYS_MAX_AGE`).
    ///   Nil if they are never read again.
    init(keys: SigningKeys?, longest: Duration? = nil) {
        state = Monitor(Current(keys: keys))
        self.longest = longest
    }

    /// The keys and their generation.
    var current: Current { state.withLock { $0 } }

    /// Rises with each change of the keys.
    var generation: UInt64 { currentGeneration.load(ordering: .acquiring) }

    /// The time since the last reading, or since the start.
    var age: Duration {
        longest == nil ? .zero : start.duration(to: .now) - .nanoseconds(read.load(ordering: .relaxed))
    }

    /// True if the last reading is so long ago that the keys may have been withdrawn since.
    var isTooOld: Bool { longest.map { age > $0 } ?? false }

    /// The instant at which the keys are too old, unless they are read again.
    var validUntil: ContinuousClock.Instant? {
        longest.map { start + .nanoseconds(read.load(ordering: .relaxed)) + $0 }
    }

    /// Puts keys in force that were just read. Returns false if they are in force already.
    func replace(with keys: SigningKeys) -> Bool {
        // The time is stored before the keys, so that no request finds new keys too old.
        read.store(Int64(start.duration(to: .now) / .nanoseconds(1)), ordering: .relaxed)
        return state.withLock { current in
            guard current.keys != keys else { return false }
            current = Current(keys: keys, generation: current.generation + 1)
            currentGeneration.store(current.generation, ordering: .releasing)
            return true
        }
    }
}
