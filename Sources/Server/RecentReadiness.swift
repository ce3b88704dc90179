import PostgreSQL
import Threads

/// The result of ``Readiness`` for clients on other machines: at most a second old, found by a thread of its own.
///
/// However many clients ask, the database is checked about twice a second at most, and not at all while no client asks.
/// A request waits only where no result is recent enough: for the check that it causes.
final class RecentReadiness: Sendable {
    typealias Check = @Sendable () throws(PostgreSQLError) -> Void
    typealias Instant = ContinuousClock.Instant

    private struct State {
        var failure: PostgreSQLError?
        /// When the last check ended.
        var ended: Instant?
        var began: Instant?
        /// The earliest beginning of the next check.
        var next = Instant.now
        /// Whether a request has asked since the last check began.
        var isWanted = false
        var waiting = 0

        /// The last result, unless it is too old.
        func recent(_ now: Instant) -> Found? {
            guard let ended, ended.duration(to: now) <= RecentReadiness.longestAge else { return nil }
            return Found(failure: failure)
        }

        /// Whether a check takes so long that no further request is to wait for it.
        func isSlow(_ now: Instant) -> Bool { began.map { $0.duration(to: now) > RecentReadiness.longestAge } ?? false }
    }

    private struct Found: Sendable {
        let failure: PostgreSQLError?

        func check() throws(PostgreSQLError) { if let failure { throw failure } }
    }

    private static let longestAge = Duration.seconds(1)
    /// From the beginning of one check to the next, where a client has asked meanwhile.
    private static let interval = Duration.milliseconds(500)

    private let check: Check
    private let longestWait: Duration
    private let mostWaiting: Int
    private let state = Monitor(State())
    private let loop = ThreadLoop()

    /// - Parameters:
    ///   - longestWait: how long a request waits for a check.
    ///   - mostWaiting: how many requests wait for a slow one, each of which occupies a worker.
    init(longestWait: Duration, mostWaiting: Int, check: @escaping Check) {
        (self.check, self.longestWait, self.mostWaiting) = (check, longestWait, mostWaiting)
    }

    /// Starts the thread.
    func start() throws(Thread.StartError) {
        try loop.start(for: "the readiness", first: .whenWoken) { [self] in run() }
    }

    /// Has the thread end.
    func stop() { loop.stop() }

    /// Whether a recent result is there. False if the caller has to ``wait()``.
    ///
    /// - Throws: why the endpoints could not be answered.
    func answers() throws(PostgreSQLError) -> Bool {
        let found = state.withLock { state in
            state.isWanted = true
            return state.recent(.now)
        }
        loop.wake()
        guard let found else { return false }
        try found.check()
        return true
    }

    /// Waits for a recent result.
    func wait() throws(PostgreSQLError) {
        let deadline = ContinuousClock.now + longestWait
        let mayWait = state.withLock { state in
            guard state.waiting < mostWaiting || !state.isSlow(.now) else { return false }
            state.waiting += 1
            state.isWanted = true
            return true
        }
        guard mayWait else { throw .acquireTimeout }
        loop.wake()
        let found = state.wait(until: deadline) { $0.recent(.now) }
        state.withLock { $0.waiting -= 1 }
        guard let found else { throw .acquireTimeout }
        try found.check()
    }

    private func run() -> ThreadLoop.Next {
        let begins = state.withLock { state in
            guard state.isWanted, state.next <= .now else { return false }
            (state.isWanted, state.began, state.next) = (false, .now, .now + Self.interval)
            return true
        }
        if begins { note(failure()) }
        return state.withLock { $0.isWanted ? .at($0.next) : .whenWoken }
    }

    private func failure() -> PostgreSQLError? {
        do throws(PostgreSQLError) {
            try check()
            return nil
        } catch {
            return error
        }
    }

    private func note(_ failure: PostgreSQLError?) {
        state.withLock { state in
            state.failure = failure
            (state.ended, state.began) = (.now, nil)
        }
        state.notifyAll()
    }
}
