import Synchronization
internal import Threads

/// The keys in force and how often they have changed.
final class KeyStore: Sendable {
    struct Current: Sendable {
        var keys: SigningKeys?
        var generation: UInt64 = 0
    }

    private let state: Monitor<Current>
    // Beside the lock, since each request reads it.
    private let currentGeneration = Atomic<UInt64>(0)

    init(keys: SigningKeys?) { state = Monitor(Current(keys: keys)) }

    /// Keys and generation that belong together.
    var current: Current { state.withLock { $0 } }

    /// Rises with each change of the keys.
    var generation: UInt64 { currentGeneration.load(ordering: .acquiring) }

    /// Puts `keys` in force; false where they are already.
    func replace(with keys: SigningKeys) -> Bool {
        state.withLock { current in
            guard current.keys != keys else { return false }
            current = Current(keys: keys, generation: current.generation + 1)
            currentGeneration.store(current.generation, ordering: .releasing)
            return true
        }
    }
}
