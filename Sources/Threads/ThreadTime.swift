import Glibc

/// How long each thread has been at something, such as waiting: what a part of its work cost is the difference
/// of two readings, wherever in that part it happened.
///
/// To live as long as the threads that use it, each of which frees its own part as it ends.
// @unchecked: the key is set once, and what it leads to belongs to the thread that asks.
public final class ThreadTime: @unchecked Sendable {
    private var key = pthread_key_t()

    public init() { pthread_key_create(&key) { $0?.deallocate() } }

    deinit { pthread_key_delete(key) }

    /// What the calling thread has spent so far.
    public var spent: Duration {
        pthread_getspecific(key)?.assumingMemoryBound(to: Duration.self).pointee ?? .zero
    }

    /// Adds what the calling thread has spent.
    public func add(_ duration: Duration) {
        if let sum = pthread_getspecific(key)?.assumingMemoryBound(to: Duration.self) {
            sum.pointee += duration
        } else {
            let sum = UnsafeMutablePointer<Duration>.allocate(capacity: 1)
            sum.initialize(to: duration)
            pthread_setspecific(key, sum)
        }
    }
}
