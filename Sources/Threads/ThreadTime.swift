import Glibc

/// A sum of durations for each thread, such as its wait for connections.
///
/// The difference of two readings on one thread is the time spent between them. `Server-Timing` and the access log
/// report the wait for a connection separately from the database (`pool`, `pool_us`). The pool measures that wait, and
/// `Pipeline` needs it even if the query fails. Without a sum for each thread, every function between the two would
/// need an `inout` parameter. The sum costs no measurable processor time.
///
/// An instance must live as long as the threads that use it. A thread frees its own sum when it ends.
// @unchecked: the key is set once, and each thread has its own value.
public final class ThreadTime: @unchecked Sendable {
    private var key = pthread_key_t()

    public init() { pthread_key_create(&key) { $0?.deallocate() } }

    deinit { pthread_key_delete(key) }

    /// The sum of the calling thread so far.
    public var spent: Duration {
        pthread_getspecific(key)?.assumingMemoryBound(to: Duration.self).pointee ?? .zero
    }

    /// Adds to the sum of the calling thread.
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
