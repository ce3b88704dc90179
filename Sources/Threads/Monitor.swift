import Glibc

/// A value behind a lock, with a condition to wait for its changes until a deadline.
///
/// The standard library's `Mutex` has no condition variable, which waiting for a connection or a key needs, and
/// ThreadSanitizer does not see its lock on Linux.
// @unchecked: `value` is touched only while `mutex` is held, and the pointers are freed by deinit alone.
public final class Monitor<Value>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    /// Behind a pointer, since the lock ensures exclusive access, which the runtime would check again for a property.
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
    /// Inlinable, since generic code would run several times a request.
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

    /// Asks `attempt` again after every ``notifyAll()`` until it returns a value; nil once `deadline` has passed.
    ///
    /// - Parameter deadline: nil waits without one.
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

    /// Releases the lock until ``notifyAll()`` and takes it again; false once `deadline` has passed.
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
