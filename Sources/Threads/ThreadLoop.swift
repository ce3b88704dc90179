/// A thread that runs the same work again and again, until it is stopped.
///
/// The work returns the time of its next run. A stop ends a pause and lets the current run finish. If ``wake()`` was
/// called before the stop, the work runs one more time, so that it processes all that was queued.
///
///     let loop = ThreadLoop()
///     try loop.start(for: "the settings") { readSettings() ? .after(.seconds(20)) : .after(.seconds(2)) }
///     loop.wake()  // runs the work at once
///     loop.stop()
public final class ThreadLoop: Sendable {
    public typealias Instant = ContinuousClock.Instant

    /// The time of the next run.
    public enum Next: Sendable {
        /// At this time, or earlier if ``ThreadLoop/wake()`` is called.
        case at(Instant)
        /// Only after ``ThreadLoop/wake()``.
        case whenWoken
        /// The thread ends.
        case never

        public static func after(_ pause: Duration) -> Next { .at(.now + pause) }
    }

    private struct State {
        var isWoken = false
        var isStopped = false
        var hasEnded = false
        var thread: Thread?
    }

    private let state = Monitor(State())

    public init() {}

    /// Detaches a thread that was not joined, so that it frees itself.
    deinit { state.withLock { $0.thread }?.detach() }

    /// Whether ``stop()`` was called.
    public var isStopped: Bool { state.withLock { $0.isStopped } }

    /// Starts the thread. Call it once.
    ///
    /// - Parameters:
    ///   - purpose: the work of the thread for the error's text, such as "the log".
    ///   - first: the time of the first run.
    public func start(
        for purpose: String, first: Next = .after(.zero), _ work: @escaping @Sendable () -> Next
    ) throws(Thread.StartError) {
        let thread = try Thread.start(for: purpose) { [self] in
            var next = first
            while wait(for: next) { next = work() }
            state.withLock { $0.hasEnded = true }
            state.notifyAll()
        }
        state.withLock { $0.thread = thread }
    }

    /// Makes the work run at once, or again after the current run.
    public func wake() {
        state.withLock { $0.isWoken = true }
        state.notifyAll()
    }

    /// Ends the thread after the current run. It returns at once.
    public func stop() {
        state.withLock { $0.isStopped = true }
        state.notifyAll()
    }

    /// Waits until the thread has ended. False if the deadline passes first.
    @discardableResult
    public func waitUntilEnded(_ deadline: Instant) -> Bool {
        state.wait(until: deadline) { $0.hasEnded ? true : nil } ?? false
    }

    /// Waits without a deadline until the thread has ended and freed its memory. Returns at once if it never started.
    public func join() {
        let thread = state.withLock { state in
            defer { state.thread = nil }
            return state.thread
        }
        thread?.join()
    }

    /// Pauses within the work until the time is over or ``wake()`` or ``stop()`` is called. False once stopped.
    @discardableResult
    public func pause(_ duration: Duration) -> Bool {
        _ = state.wait(until: .now + duration) { state in
            defer { state.isWoken = false }
            return state.isWoken || state.isStopped ? true : nil
        }
        return !isStopped
    }

    /// Waits until the next run is due. False if the thread has to end.
    private func wait(for next: Next) -> Bool {
        let deadline: Instant?
        switch next {
        case .at(let instant): deadline = instant
        case .whenWoken: deadline = nil
        case .never: return false
        }
        return state.wait(until: deadline) { state in
            defer { state.isWoken = false }
            return state.isWoken ? true : state.isStopped ? false : nil
        } ?? true
    }
}
