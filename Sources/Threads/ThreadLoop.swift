/// A thread that runs one piece of work again and again, until it is stopped.
///
/// The work returns when it is to run next. A stop ends a pause and lets the run under way finish. If ``wake()`` was
/// called before, the work runs one more time, so that nothing that was announced is lost.
///
///     let loop = ThreadLoop()
///     try loop.start(for: "the settings") { readSettings() ? .after(.seconds(20)) : .after(.seconds(2)) }
///     loop.wake()  // runs the work at once
///     loop.stop()
public final class ThreadLoop: Sendable {
    public typealias Instant = ContinuousClock.Instant

    /// When the work is to run next.
    public enum Next: Sendable {
        /// Earlier if ``ThreadLoop/wake()`` is called.
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

    /// A thread that was not joined frees itself.
    deinit { state.withLock { $0.thread }?.detach() }

    /// Whether ``stop()`` was called.
    public var isStopped: Bool { state.withLock { $0.isStopped } }

    /// Starts the thread; to be called once.
    ///
    /// - Parameters:
    ///   - purpose: names the thread in the error, such as "the log".
    ///   - first: when the work runs for the first time.
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

    /// Has the work run at once, or again after the run under way.
    public func wake() {
        state.withLock { $0.isWoken = true }
        state.notifyAll()
    }

    /// Has the thread end; returns at once.
    public func stop() {
        state.withLock { $0.isStopped = true }
        state.notifyAll()
    }

    /// Waits until the thread has ended; false at the deadline.
    @discardableResult
    public func waitUntilEnded(_ deadline: Instant) -> Bool {
        state.wait(until: deadline) { $0.hasEnded ? true : nil } ?? false
    }

    /// Waits without a deadline until the thread and all that it has allocated are gone, if it was started.
    public func join() {
        let thread = state.withLock { state in
            defer { state.thread = nil }
            return state.thread
        }
        thread?.join()
    }

    /// Pauses within the work, until the time is over, ``wake()`` or ``stop()``. False once stopped.
    @discardableResult
    public func pause(_ duration: Duration) -> Bool {
        _ = state.wait(until: .now + duration) { state in
            defer { state.isWoken = false }
            return state.isWoken || state.isStopped ? true : nil
        }
        return !isStopped
    }

    /// Waits until the work is to run; false where the thread is to end.
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
