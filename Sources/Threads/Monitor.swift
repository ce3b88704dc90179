import Glibc

/// A value behind a lock, with a condition variable to wait for its changes until a deadline.
///
/// The standard library's `Mutex` has no condition variable, which waiting for a connection or a key needs.
/// ThreadSanitizer does not see its lock on Linux either.
// @unchecked: `value` is accessed only while `mutex` is held, and only deinit frees the pointers.
public final class Monitor<Value>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    /// A pointer, because the runtime would check exclusive access to a property, which the lock already ensures.
    @usableFromInline let value: UnsafeMutablePointer<Value>

    public init(_ value: sending Value) {
        self.value = .allocate(capacity: 1)
        self.value.initialize(to: value)
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        // Deadlines must not move when an operator sets the machine's clock.
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
        value.deinitialize(count: 1)
        value.deallocate()
    }

    /// Runs `body` with exclusive access to the value.
    ///
    /// Inlinable, because each request calls it several times and unspecialized generic code is slow.
    @inlinable
    public func withLock<Result, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        lock()
        defer { unlock() }
        return try body(&value.pointee)
    }

    @usableFromInline
    func lock() { pthread_mutex_lock(mutex) }

    @usableFromInline
    func unlock() { pthread_mutex_unlock(mutex) }

    /// Calls `attempt` now and after every ``notifyAll()`` until it returns a value. Nil once `deadline` has passed.
    ///
    /// - Parameter deadline: nil waits without a limit.
    @inlinable
    public func wait<Result>(
        until deadline: ContinuousClock.Instant?, _ attempt: (inout Value) -> sending Result?
    ) -> sending Result? {
        lock()
        defer { unlock() }
        while true {
            if let result = attempt(&value.pointee) { return result }
            guard sleep(until: deadline) else { return nil }
        }
    }

    /// Releases the lock until ``notifyAll()`` and acquires it again. False once `deadline` has passed.
    @usableFromInline
    func sleep(until deadline: ContinuousClock.Instant?) -> Bool {
        guard let deadline else {
            pthread_cond_wait(condition, mutex)
            return true
        }
        let remaining = ContinuousClock.now.duration(to: deadline)
        guard remaining > .zero else { return false }
        var absolute = timespec.monotonic(after: remaining)
        pthread_cond_timedwait(condition, mutex, &absolute)
        return true
    }

    /// Wakes every waiter.
    public func notifyAll() { pthread_cond_broadcast(condition) }
}

extension timespec {
    /// The reading of CLOCK_MONOTONIC after `duration` from now.
    fileprivate static func monotonic(after duration: Duration) -> timespec {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        let (seconds, attoseconds) = duration.components
        time.tv_sec += Int(seconds)
        time.tv_nsec += Int(attoseconds / 1_000_000_000)
        if time.tv_nsec >= 1_000_000_000 {
            time.tv_sec += 1
            time.tv_nsec -= 1_000_000_000
        }
        return time
    }
}
